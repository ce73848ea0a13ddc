import { OpenMemoryBackend } from '../core/support/backends.js';
import { PROPERTY_SEED } from '../core/support/property-seed.js';
import { explain } from './support/explain.js';
import { runSchedule } from './support/schedule.js';

const SCHEDULES = Number(process.env['SCHEDULES'] ?? 10_000);

describe('two tabs, a phone, a thief, an app that ends sessions, clean-ups and two replicas at once', () => {
  it(`keep every promise in ${SCHEDULES} schedules`, async () => {
    const failures: string[] = [];
    let steps = 0;
    for (let seed = PROPERTY_SEED; seed < PROPERTY_SEED + SCHEDULES && failures.length === 0; seed++) {
      const outcome = await runSchedule(seed, () => new OpenMemoryBackend());
      steps += outcome.steps;
      if (outcome.violation !== null) failures.push(await explain(seed, () => new OpenMemoryBackend()));
    }
    expect(failures.join('\n')).toBe('');
    expect(steps).toBeGreaterThan(SCHEDULES * 30);
  }, 600_000);
});
