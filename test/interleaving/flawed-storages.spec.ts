import { PROPERTY_SEED } from '../core/support/property-seed.js';
import { FLAWED_STORAGES } from './support/flawed-storages.js';
import { runSchedule } from './support/schedule.js';

/** Schedules after which a flaw has to have shown. */
const ENOUGH = 4_000;

describe('the schedules', () => {
  it.each(FLAWED_STORAGES.map((flaw) => ({ ...flaw, name: flaw.Storage.name })))(
    `catch $name within ${ENOUGH}`,
    async ({ Storage, caughtBy }) => {
      const violations: string[] = [];
      for (let seed = PROPERTY_SEED; seed < PROPERTY_SEED + ENOUGH; seed++) {
        const { violation } = await runSchedule(seed, (between) => new Storage(between));
        if (violation !== null) violations.push(violation);
        if (violation !== null && caughtBy.test(violation)) break;
      }
      expect(violations.at(-1)).toMatch(caughtBy);
    },
  );

  it('run the same way again from the same seed', async () => {
    const { Storage } = FLAWED_STORAGES.find((flaw) => flaw.Storage.name === 'RotationWithTwoWinners')!;
    for (let seed = PROPERTY_SEED; seed < PROPERTY_SEED + 100; seed++) {
      const [first, second] = [
        await runSchedule(seed, (between) => new Storage(between)),
        await runSchedule(seed, (between) => new Storage(between)),
      ];
      expect(second.trace.map(withoutIds)).toEqual(first.trace.map(withoutIds));
      expect(second.violation === null).toBe(first.violation === null);
    }
  });
});

/** Ids end in random characters. */
function withoutIds(line: string): string {
  return line.replaceAll(/[0-7][0-9A-HJKMNP-TV-Z]{25}/g, (id) => id.slice(0, 10));
}
