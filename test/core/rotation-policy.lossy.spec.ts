import { PROPERTY_SEED } from './support/property-seed.js';
import { someOf } from './support/random-runs.js';
import type { SeededRandom } from './support/random.js';
import { EVERY, GRACE, simulate, type TokenServer } from './support/token-server.js';

const RUNS = someOf(5_000);
/** Longest way there, and longest way back: a request is under way for less than the grace. */
const LONGEST_WAY = GRACE / 2 - 1_000;

interface Step {
  readonly at: number;
  run(): Promise<void> | void;
}

/** One browser on a bad line: what it sends and gets, in order of time. */
class LossyBrowser {
  readonly #steps: Step[] = [];
  #underWay = 0;
  /** What an honest user would complain about. */
  failure: string | null = null;
  cookie: string;

  constructor(
    private readonly server: TokenServer,
    private readonly random: SeededRandom,
    private readonly lossRate: number,
  ) {
    this.cookie = server.firstCookie;
  }

  /** Sends a request, which arrives some time later, and whose response arrives later still, or never. */
  send(wantsRotation: boolean): void {
    const { cookie } = this;
    const isAlone = this.#underWay++ === 0;
    this.#later(async () => {
      const answer = await this.server.request(cookie, wantsRotation);
      const isOvertaken = !isAlone || cookie !== this.cookie;
      if (!answer.isServed && !isOvertaken) this.failure ??= 'a request that nothing overtook was not served';
      const isLost = this.random.chance(this.lossRate);
      this.#later(() => {
        this.#underWay--;
        if (answer.cookie !== null && !isLost) this.cookie = answer.cookie;
      });
    });
  }

  /** Lets time pass, and everything happen that is due. */
  async wait(duration: number): Promise<void> {
    const until = this.server.clock.now() + duration;
    for (let step = this.#next(until); step !== undefined; step = this.#next(until)) {
      this.#moveTo(step.at);
      await step.run();
    }
    this.#moveTo(until);
  }

  #next(until: number): Step | undefined {
    this.#steps.sort((a, b) => a.at - b.at);
    return this.#steps[0] !== undefined && this.#steps[0].at <= until ? this.#steps.shift() : undefined;
  }

  #later(run: Step['run']): void {
    const isQuick = this.random.chance(0.6);
    const way = isQuick ? this.random.integer(0, 200) : this.random.integer(0, LONGEST_WAY);
    this.#steps.push({ at: this.server.clock.now() + way, run });
  }

  #moveTo(instant: number): void {
    if (instant > this.server.clock.now()) this.server.clock.advance(instant - this.server.clock.now());
  }
}

async function browse(random: SeededRandom, server: TokenServer): Promise<string | null> {
  let isReuseReported = false;
  const stop = server.store.events.on('reuse', () => (isReuseReported = true));
  const browser = new LossyBrowser(server, random, random.chance(0.5) ? 0.5 : 0.1);
  for (let n = random.integer(2, 7); n > 0; n--) {
    const isPageLoad = random.chance(0.4);
    const isDoubleRotation = random.chance(0.2);
    for (let requests = isPageLoad ? random.integer(2, 5) : 1; requests > 0; requests--) {
      browser.send(isDoubleRotation || random.chance(0.1));
    }
    if (isDoubleRotation) {
      await browser.wait(random.integer(0, 400));
      browser.send(true);
    }
    const [short, grace, long] = [
      random.integer(1, 2_000),
      random.integer(1, 2 * GRACE),
      random.integer(1, 3 * EVERY),
    ];
    await browser.wait(random.chance(0.4) ? short : random.chance(0.5) ? grace : long);
  }
  await browser.wait(2 * GRACE);
  browser.send(false);
  await browser.wait(2 * GRACE);
  stop();
  if (browser.failure !== null) return browser.failure;
  if (!(await server.isAlive())) return 'the session was revoked';
  return isReuseReported ? 'reuse was reported' : null;
}

describe('an honest browser on a bad line', () => {
  it(`is never logged out in ${RUNS} runs of lost responses, parallel requests and quick double rotations`, async () => {
    expect(await simulate(PROPERTY_SEED, RUNS, browse)).toEqual([]);
  });
});
