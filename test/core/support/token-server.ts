import type { SessionStore } from '../../../src/core/session-store.js';
import type { ManualClock } from '../../../src/testing/manual-clock.js';
import { openStore } from './open-store.js';
import { SeededRandom } from './random.js';
import { isServed } from '../../../src/core/token-resolver.js';

/** What a client sees of one request. */
export interface Answer {
  /** Whether it was served as the signed-in user. */
  readonly isServed: boolean;
  /** The cookie of the response, if it carries one. */
  readonly cookie: string | null;
}

export const GRACE = 30_000;
export const EVERY = 900_000;

/** A server with one session: the real store and manager, as the HTTP layer drives them. */
export class TokenServer {
  readonly store: SessionStore;
  readonly clock: ManualClock;
  sessionId = '';
  firstCookie = '';

  constructor() {
    const rotation = { every: EVERY, grace: GRACE };
    const options = { plaintext: true, ttl: '300d', absoluteTtl: '400d', rotation }; // no rule here depends on a key
    ({ store: this.store, clock: this.clock } = openStore(options));
  }

  /** Forgets what was before, and signs in. */
  async signIn(): Promise<void> {
    await this.store.destroyAll();
    const { session, token } = await this.store.create({}, 'ada');
    this.sessionId = session.id;
    this.firstCookie = token.reveal();
  }

  async request(cookie: string, wantsRotation = false): Promise<Answer> {
    const { manager } = this.store;
    const loaded = await manager.load(cookie, 'cookie');
    if (!loaded || !isServed(loaded)) return { isServed: false, cookie: null };
    const next = await manager.rotateIfDue(loaded, wantsRotation);
    return { isServed: true, cookie: next?.reveal() ?? null };
  }

  async isAlive(): Promise<boolean> {
    return (await this.store.load(this.sessionId)) !== null;
  }
}

/** Simulations that run side by side. */
const LANES = 50;

/** Runs a simulation with one seed after the other. Says which seeds failed, and why. */
export async function simulate(
  firstSeed: number,
  runs: number,
  run: (random: SeededRandom, server: TokenServer) => Promise<string | null>,
): Promise<string[]> {
  const failures: string[] = [];
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    const server = new TokenServer();
    for (let seed = firstSeed + lane; seed < firstSeed + runs; seed += LANES) {
      await server.signIn();
      const failure = await run(new SeededRandom(seed), server);
      if (failure !== null) failures.push(`seed ${seed}: ${failure}`);
    }
  });
  await Promise.all(lanes);
  return failures;
}
