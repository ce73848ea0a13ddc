import { runSchedule } from './schedule.js';
import type { OpenStorage } from './world.js';

/** The schedule of a failing seed, without the deeds that it fails without, and what happened in it. */
export async function explain(seed: number, openStorage: OpenStorage): Promise<string> {
  let outcome = await runSchedule(seed, openStorage);
  let without = new Set<number>();
  for (const deed of outcome.deeds) {
    const fewer = new Set([...without, deed]);
    const next = await runSchedule(seed, openStorage, fewer);
    if (next.violation !== null) [outcome, without] = [next, fewer];
  }
  const left = outcome.deeds.length - without.size;
  return [
    `seed ${seed}: ${outcome.violation}`,
    `with ${left} of its ${outcome.deeds.length} deeds (TEST_SEED=${seed} SCHEDULES=1 npm test -- test/interleaving):`,
    ...outcome.trace,
  ].join('\n');
}
