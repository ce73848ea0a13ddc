import { CLOCK_TOLERANCE } from '../../../src/core/replaced-tokens.js';
import { SessionStore } from '../../../src/core/session-store.js';
import type { SessionRow } from '../../../src/core/session-row.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { OpenMemoryBackend } from './backends.js';
import { RecordingLogger, START } from './open-store.js';
import { SeededRandom } from './random.js';
import { isServed } from '../../../src/core/token-resolver.js';

/** `honest`: nobody but the owner. `theft`: somebody copies the cookie, and uses it as it pleases them. */
export type Plot = 'honest' | 'theft';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const GRACE = 30 * SECOND;
/** Longest way there, and longest way back: but for uploads a request is under way for less than the grace. */
const LONGEST_WAY = 14 * SECOND;
const LONGEST_UPLOAD = 2 * MINUTE;
/** How much a clock may be off. */
const SKEW = CLOCK_TOLERANCE / 2;
/** After so long a token that was replaced has no grace left, by any clock and however it was counted. */
const LONG = 3 * CLOCK_TOLERANCE + 2 * GRACE;
const LOSS = 0.3;

interface Due {
  readonly at: number;
  readonly run: () => Promise<void> | void;
}

/** One storage, two replicas with clocks of their own, and what happens in order of time. */
class World {
  now = START;
  readonly storage = new OpenMemoryBackend();
  readonly #clocks: readonly ManualClock[];
  readonly #replicas: readonly SessionStore[];
  #due: Due[] = [];
  sessionId = '';
  firstCookie = '';
  isReuseReported = false;

  constructor(readonly random: SeededRandom) {
    this.#clocks = [0, 1].map(() => new ManualClock(this.now + random.integer(-SKEW, SKEW)));
    const every = random.chance(0.5) ? random.integer(2, 15) * MINUTE : undefined;
    const options = { plaintext: true, ttl: '300d', absoluteTtl: '400d', rotation: { every, grace: GRACE } };
    this.#replicas = this.#clocks.map(
      (clock) => new SessionStore(this.storage, { ...options, clock }, new RecordingLogger()),
    );
    for (const { events } of this.#replicas) events.on('reuse', () => (this.isReuseReported = true));
  }

  async signIn(): Promise<void> {
    const { session, token } = await this.#replica().create({}, 'ada');
    this.sessionId = session.id;
    this.firstCookie = token.reveal();
  }

  later(delay: number, run: Due['run']): void {
    this.#due.push({ at: this.now + delay, run });
    this.#due.sort((a, b) => a.at - b.at);
  }

  /** Lets time pass, and everything happen that is due. */
  async wait(duration: number): Promise<void> {
    const until = this.now + duration;
    for (let next = this.#due[0]; next !== undefined && next.at <= until; next = this.#due[0]) {
      this.#due.shift();
      this.#moveTo(next.at);
      await next.run();
    }
    this.#moveTo(until);
  }

  /** The head of a request has come to a replica. Gives what happens when its body is complete. */
  arrive(
    cookie: string,
    wantsRotation: boolean,
  ): () => Promise<{ isServed: boolean; cookie: string | null }> {
    const { manager } = this.#replica();
    const arrivedAt = manager.clock.now();
    return async () => {
      const presented = await manager.load(cookie, 'cookie', {}, arrivedAt);
      if (!presented || !isServed(presented)) return { isServed: false, cookie: null };
      const next = await manager.rotateIfDue(presented, wantsRotation);
      return { isServed: true, cookie: next?.reveal() ?? null };
    };
  }

  /** What a backup holds of the session; `undefined` when it has ended. */
  backup(): SessionRow | undefined {
    return this.storage.stored.get(this.sessionId);
  }

  restore(row: SessionRow): void {
    this.storage.plant(row);
  }

  get isAlive(): boolean {
    return this.storage.stored.has(this.sessionId);
  }

  #replica(): SessionStore {
    return this.#replicas[this.random.integer(0, 1)] as SessionStore;
  }

  #moveTo(instant: number): void {
    const step = instant - this.now;
    if (step <= 0) return;
    for (const clock of this.#clocks) clock.advance(step);
    this.now = instant;
  }
}

/** Somebody with a cookie, in as many tabs as they like. */
class Browser {
  #underWay = 0;
  #sent = 0;
  isServed = true;
  /** A request that nothing overtook was not served. */
  isOutside = false;

  constructor(
    private readonly world: World,
    public cookie: string,
    /** Whether it takes new cookies. A thief may throw them away, so that nobody ever uses one. */
    readonly keepsCookies = true,
  ) {}

  /** Sends a request; its head arrives some time later, its body perhaps much later, and its answer later still, or never. */
  send({ rotates = false, isUpload = false, isReliable = false } = {}): void {
    const { world, cookie } = this;
    const sent = ++this.#sent;
    const isAlone = this.#underWay++ === 0;
    world.later(this.#way(), () => {
      const complete = world.arrive(cookie, rotates);
      world.later(isUpload ? world.random.integer(0, LONGEST_UPLOAD) : 0, async () => {
        const answer = await complete();
        const isOvertaken = !isAlone || sent !== this.#sent || cookie !== this.cookie;
        if (!isOvertaken) {
          this.isServed = answer.isServed;
          if (!answer.isServed) this.isOutside = true;
        }
        const isLost = !isReliable && world.random.chance(LOSS);
        world.later(this.#way(), () => {
          this.#underWay--;
          if (answer.cookie !== null && !isLost && this.keepsCookies) this.cookie = answer.cookie;
        });
      });
    });
  }

  #way(): number {
    const { random } = this.world;
    return random.chance(0.6) ? random.integer(0, 200) : random.integer(0, LONGEST_WAY);
  }
}

/** One page: a few requests, some of which upload, some of which rotate. */
async function browse(world: World, browser: Browser): Promise<void> {
  const { random } = world;
  for (let requests = random.chance(0.4) ? random.integer(2, 4) : 1; requests > 0; requests--) {
    browser.send({ rotates: random.chance(0.15), isUpload: random.chance(0.15) });
    if (random.chance(0.3)) await world.wait(random.integer(0, 2 * SECOND));
  }
  const idle = random.chance(0.4)
    ? random.integer(1, 5 * SECOND)
    : random.chance(0.5)
      ? random.integer(1, 2 * GRACE)
      : random.integer(1, 60 * MINUTE);
  await world.wait(idle);
}

/** From sign-in to the end. What went wrong, or `null`. */
export async function liveThrough(seed: number, plot: Plot): Promise<string | null> {
  const random = new SeededRandom(seed);
  const world = new World(random);
  await world.signIn();
  const owner = new Browser(world, world.firstCookie);
  let backup: SessionRow | undefined;
  // A backup is restored while nothing is under way: of two answers that cross it, the later one may carry the token that
  // nothing knows of any more.
  const happen = async (): Promise<void> => {
    const [makes, restores] = [random.chance(0.08), random.chance(0.08)];
    if (makes) backup = world.backup();
    else if (restores && backup !== undefined) {
      await world.wait(LONGEST_UPLOAD + 3 * LONGEST_WAY);
      world.restore(backup);
      backup = undefined;
    }
  };
  for (let pages = random.integer(1, 6); pages > 0; pages--) {
    await browse(world, owner);
    await happen();
  }
  if (plot === 'honest') return endHonestly(world, owner);
  const thief = new Browser(world, owner.cookie, random.chance(0.7));
  for (let pages = random.integer(1, 4); pages > 0; pages--) {
    for (let visits = random.integer(1, 15); visits > 0; visits--) {
      thief.send({ rotates: thief.keepsCookies && random.chance(0.7) });
      await world.wait(random.integer(1, 120) * SECOND);
    }
    if (random.chance(0.8)) await browse(world, owner);
    await happen();
  }
  return endTheft(world, owner, thief);
}

async function endHonestly(world: World, owner: Browser): Promise<string | null> {
  await world.wait(LONGEST_UPLOAD + 2 * GRACE);
  owner.send();
  await world.wait(2 * GRACE);
  if (world.isReuseReported) return 'reuse was reported';
  if (!world.isAlive) return 'the session was revoked';
  return owner.isOutside ? 'a request that nothing overtook was not served' : null;
}

/** Both go on: the thief rotates at a pace of their own, and the owner comes back now and then. */
async function endTheft(world: World, owner: Browser, thief: Browser): Promise<string | null> {
  const { random } = world;
  const pace = thief.keepsCookies ? random.integer(1, 120) * SECOND : GRACE + random.integer(1, 20_000);
  await world.wait(LONGEST_UPLOAD + LONG);
  for (let visits = 0; visits < (thief.keepsCookies ? 4 : 12) && world.isAlive; visits++) {
    owner.send({ rotates: true, isReliable: true });
    await world.wait(2 * GRACE);
    for (let left = LONG; left > 0 && world.isAlive; left -= pace) {
      thief.send({ rotates: thief.keepsCookies, isReliable: true });
      await world.wait(pace);
    }
  }
  if (world.isAlive) return 'both are inside';
  return world.isReuseReported ? null : 'the session ended without a report';
}
