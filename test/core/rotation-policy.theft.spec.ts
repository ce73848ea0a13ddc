import { PROPERTY_SEED } from './support/property-seed.js';
import { someOf } from './support/random-runs.js';
import type { SeededRandom } from './support/random.js';
import { EVERY, GRACE, simulate, type TokenServer } from './support/token-server.js';

const RUNS = someOf(2_500);

/** Somebody with a cookie, who takes every new one that comes with a response. */
class Client {
  constructor(
    private readonly server: TokenServer,
    public cookie: string,
    /** How many of its responses get lost. */
    private readonly lossRate: number,
    private readonly random: SeededRandom,
  ) {}

  async act(wantsRotation = false): Promise<boolean> {
    const answer = await this.server.request(this.cookie, wantsRotation);
    if (answer.cookie !== null && !this.random.chance(this.lossRate)) this.cookie = answer.cookie;
    return answer.isServed;
  }
}

interface Theft {
  readonly isRevoked: boolean;
  readonly isThiefIn: boolean;
  readonly isHonestIn: boolean;
  /** Whether the event told of it. */
  readonly isReported: boolean;
}

/** From sign-in to the end of the theft: both act at random, neither knows of the other, both go on to act. */
async function theft(random: SeededRandom, server: TokenServer): Promise<Theft> {
  let isReported = false;
  const stop = server.store.events.on('reuse', () => (isReported = true));
  const honest = new Client(server, server.firstCookie, random.chance(0.3) ? 0.2 : 0, random);
  const pause = () =>
    server.clock.advance(random.chance(0.5) ? random.integer(1, GRACE) : random.integer(1, 2 * EVERY));

  for (let n = random.integer(0, 8); n > 0; n--) {
    await honest.act(random.chance(0.2));
    pause();
  }
  const thief = new Client(server, honest.cookie, random.chance(0.3) ? 0.2 : 0, random);
  for (let n = random.integer(0, 12); n > 0; n--) {
    const actor = random.chance(0.5) ? thief : honest;
    const isDouble = random.chance(0.2);
    await actor.act(isDouble || random.chance(0.3));
    if (isDouble) await actor.act(true);
    if (random.chance(0.7)) pause();
  }
  let [isThiefIn, isHonestIn] = [true, true];
  for (let n = 0; n < 6; n++) {
    for (const actor of random.chance(0.5) ? [thief, honest] : [honest, thief]) {
      server.clock.advance(EVERY + random.integer(0, GRACE));
      const isServed = await actor.act();
      if (actor === thief) isThiefIn = isServed;
      else isHonestIn = isServed;
    }
  }
  const isRevoked = !(await server.isAlive());
  stop();
  return { isRevoked, isThiefIn, isHonestIn, isReported };
}

describe('a stolen token', () => {
  it(`ends in every one of ${RUNS} runs: the session is revoked, with an event, or the thief is out`, async () => {
    let revoked = 0;
    const failures = await simulate(PROPERTY_SEED, RUNS, async (random, server) => {
      const outcome = await theft(random, server);
      if (outcome.isThiefIn) return 'the thief is still in';
      if (outcome.isRevoked) revoked++;
      if (outcome.isRevoked && outcome.isHonestIn) return 'a revoked session is served';
      if (outcome.isRevoked !== outcome.isReported) return 'revoked without an event, or the reverse';
      return null;
    });
    expect(failures).toEqual([]);
    expect(revoked).toBeGreaterThan(RUNS * 0.9);
  });
});
