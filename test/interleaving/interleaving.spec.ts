import { OpenMemoryBackend } from '../core/support/backends.js';
import { PROPERTY_SEED } from '../core/support/property-seed.js';
import { someOf } from '../core/support/random-runs.js';
import { explain } from './support/explain.js';
import { runSchedule } from './support/schedule.js';

/** As many as show every planted flaw: see flawed-storages.spec.ts. */
const SCHEDULES = Number(process.env['SCHEDULES'] ?? someOf(4_000));
/** Schedules of one test, for a log that shows how far it is. */
const CHUNK = 1_000;

/** How many schedules, and the seed of the first. */
const SEEDS = Array.from({ length: Math.ceil(SCHEDULES / CHUNK) }, (_, chunk) => [
  Math.min(CHUNK, SCHEDULES - chunk * CHUNK),
  PROPERTY_SEED + chunk * CHUNK,
]);

describe('two tabs, a phone, a thief, an app that ends sessions, clean-ups and two replicas at once', () => {
  it.each(SEEDS)('keep every promise in %i schedules, from seed %i on', async (count, first) => {
    const failures: string[] = [];
    let steps = 0;
    for (let seed = first; seed < first + count && failures.length === 0; seed++) {
      const outcome = await runSchedule(seed, () => new OpenMemoryBackend());
      steps += outcome.steps;
      if (outcome.violation !== null) failures.push(await explain(seed, () => new OpenMemoryBackend()));
    }
    expect(failures.join('\n')).toBe('');
    expect(steps).toBeGreaterThan(count * 30);
  });
});
