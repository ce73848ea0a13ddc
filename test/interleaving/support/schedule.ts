import { judgeToken } from '../../../src/core/rotation-policy.js';
import { SeededRandom } from '../../core/support/random.js';
import { Browser, PAGES, type Page, Thief } from './browser.js';
import { type Duty, DUTIES, Service } from './service.js';
import { endOfThefts } from './theft.js';
import { GRACE, type OpenStorage, World } from './world.js';

/** Things that happen in a schedule at most, before it counts as one that never ends. */
const MOST_STEPS = 4_000;
const MINUTE = 60_000;
/** How long everybody may wait at a time: past a grace, a touch interval, a rotation, an idle timeout. */
const WAITS = [1_000, GRACE + 1, 6 * MINUTE, 16 * MINUTE, 61 * MINUTE];

interface Deed {
  readonly number: number;
  readonly label: string;
  readonly isPossible: () => boolean;
  readonly run: () => Promise<unknown>;
}

/** One run: what went wrong, or `null`, and what happened until then. */
export interface Outcome {
  readonly violation: string | null;
  readonly trace: readonly string[];
  readonly steps: number;
  /** Numbers of the deeds that were planned. */
  readonly deeds: readonly number[];
}

/**
 * Runs the schedule of a seed: what everybody is up to, in which order it happens, and what breaks.
 *
 * @param without numbers of deeds that are left out
 */
export async function runSchedule(
  seed: number,
  openStorage: OpenStorage,
  without: ReadonlySet<number> = new Set(),
): Promise<Outcome> {
  const world = new World(seed, openStorage);
  const { scheduler } = world;
  await world.start();
  const browsers = [new Browser(world, 'the laptop', 'ada'), new Browser(world, 'the phone', 'ada')];
  const thief = new Thief(world, 'the thief', 'ada');
  const actors = plan(new SeededRandom(seed ^ 0x9e3779b9), world, browsers, thief);
  const deeds = actors.flat().map(({ number }) => number);
  const lanes = actors.map((lane) => ({
    left: lane.filter(({ number }) => !without.has(number)),
    isBusy: false,
  }));
  for (;;) {
    const choices = lanes.flatMap((lane) => {
      const [deed] = lane.left;
      if (deed === undefined || lane.isBusy || !deed.isPossible()) return [];
      const start = (): void => {
        lane.left.shift();
        lane.isBusy = true;
        void deed.run().then(
          () => {
            lane.isBusy = false;
            scheduler.noteNews();
          },
          (error: unknown) => scheduler.fail(`${deed.label} failed: ${(error as Error).stack}`),
        );
      };
      return [{ label: deed.label, start }];
    });
    if (choices.length === 0 && scheduler.isIdle) break;
    await scheduler.next(choices);
    world.afterStep();
    if (scheduler.step > MOST_STEPS) scheduler.fail('it never ends');
    if (scheduler.violation !== null) break;
  }
  if (scheduler.violation === null && lanes.some((lane) => lane.isBusy))
    scheduler.fail('a call never answers');
  if (scheduler.violation === null) await conclude(world, browsers, thief);
  else await scheduler.abandon();
  return { violation: scheduler.violation, trace: scheduler.trace, steps: scheduler.step, deeds };
}

/** What everybody is up to: by actor, in order. Two of them are tabs of one browser. */
function plan(random: SeededRandom, world: World, browsers: readonly Browser[], thief: Thief): Deed[][] {
  let count = 0;
  const [laptop, phone] = browsers as [Browser, Browser];
  const service = new Service(world);
  const always = (): boolean => true;
  const lane = (
    length: number,
    deed: (chance: number, replica: number, index: number) => Omit<Deed, 'number'>,
  ) =>
    Array.from({ length }, (_, index) => ({
      number: count++,
      ...deed(random.integer(0, 999), random.integer(0, 1), index),
    }));
  const visits = (browser: Browser, tab: string, length: number): Deed[] =>
    lane(length, (chance, replica, index) => {
      const isFirst = index === 0 && random.chance(0.8);
      const page: Page = isFirst ? 'signIn' : (PAGES[random.integer(0, PAGES.length - 1)] as Page);
      const run = (): Promise<unknown> => browser.visit(replica, page, chance);
      return { label: `${browser.name}${tab}: ${page}`, isPossible: always, run };
    });
  const duties = lane(random.integer(2, 5), (chance, replica) => {
    const duty = DUTIES[random.integer(0, DUTIES.length - 1)] as Duty;
    return {
      label: `the service: ${duty}`,
      isPossible: always,
      run: () => service.perform(replica, duty, chance),
    };
  });
  const thefts = lane(random.chance(0.4) ? random.integer(1, 5) : 0, (chance, replica, index) => {
    if (index === 0) {
      const run = async (): Promise<void> => thief.steal(browsers[chance % 2] as Browser, world);
      return { label: 'the thief copies a cookie', isPossible: always, run };
    }
    const page = (['read', 'write', 'rotate', 'rotate', 'push'] as const)[chance % 5] as Page;
    return { label: `the thief: ${page}`, isPossible: always, run: () => thief.visit(replica, page, chance) };
  });
  const cleanups = [0, 1].map((replica) =>
    lane(random.integer(0, 2), () => {
      const run = (): Promise<unknown> =>
        world
          .store(replica)
          .cleanupExpired(2)
          .catch(() => 0);
      return { label: `replica ${replica} cleans up`, isPossible: always, run };
    }),
  );
  // An honest request is under way for less than the grace, and a call of the storage for less than the timeout.
  const isQuiet = (): boolean =>
    world.callsUnderWay === 0 && browsers.every((browser) => browser.underWay === 0);
  const waits = lane(random.integer(0, 4), (chance) => {
    const wait = WAITS[chance % WAITS.length] as number;
    const run = async (): Promise<void> => {
      checkCookies(world, browsers);
      world.clock.advance(wait);
    };
    return { label: `${wait} ms pass`, isPossible: wait === WAITS[0] ? always : isQuiet, run };
  });
  return [
    visits(laptop, ' (one tab)', random.integer(2, 7)),
    visits(laptop, ' (other tab)', random.integer(1, 6)),
    visits(phone, '', random.integer(0, 5)),
    duties,
    thefts,
    ...cleanups,
    waits,
  ];
}

/** No rotation has put an honest browser outside. */
function checkCookies(world: World, browsers: readonly Browser[]): void {
  for (const browser of browsers) {
    const { sessionId: id, cookie } = browser;
    const row = world.storage.stored.get(id ?? '');
    if (cookie === null || id === null || row === undefined || row.tokenHash === null) continue;
    if (world.rules.ended.has(id) || world.excused.has(id) || browser.mayBeOutside(id)) continue;
    const { issuer, clockName } = world.store(0).parts;
    const token = issuer.recognise(cookie);
    const verdict = token && judgeToken(row, token, { now: world.clock.now(), clock: clockName });
    if (verdict === 'stale' || verdict === 'reuse')
      world.scheduler.fail(`the cookie of ${browser.name} is ${verdict}`);
  }
}

/** When everything has been answered: the data, the cookies, the thief. */
async function conclude(world: World, browsers: readonly Browser[], thief: Thief): Promise<void> {
  const { scheduler } = world;
  await scheduler.release();
  await Promise.all(world.replicas.map((store) => store.manager.drain()));
  world.checkData();
  checkCookies(world, browsers);
  for (const browser of browsers) {
    const { sessionId: id } = browser;
    const row = world.storage.stored.get(id ?? '');
    if (id === null || row === undefined || row.tokenHash === null) continue;
    if (world.rules.ended.has(id) || world.excused.has(id) || browser.mayBeOutside(id)) continue;
    const { userId } = await browser.visit(0, 'read', 0);
    if (userId !== row.userId) scheduler.fail(`${browser.name} is outside, though ${id} has not ended`);
  }
  await endOfThefts(world, thief);
}
