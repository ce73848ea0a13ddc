import { PROPERTY_SEED } from './support/property-seed.js';
import { someOf } from './support/random-runs.js';
import { liveThrough, type Plot } from './support/rotation-life.js';

/** The issue of a life is decided by its seed alone. */
const RUNS = someOf(2_000);
const CHUNK = 500;

const CHUNKS = Array.from({ length: Math.ceil(RUNS / CHUNK) }, (_, chunk) => [
  Math.min(CHUNK, RUNS - chunk * CHUNK),
  PROPERTY_SEED + chunk * CHUNK,
]);

async function failuresOf(count: number, first: number, plot: Plot): Promise<string[]> {
  const failures: string[] = [];
  const lanes = Array.from({ length: 25 }, async (_, lane) => {
    for (let seed = first + lane; seed < first + count; seed += 25) {
      const failure = await liveThrough(seed, plot);
      if (failure !== null) failures.push(`seed ${seed}: ${failure}`);
    }
  });
  await Promise.all(lanes);
  return failures;
}

describe(
  'two tabs of a browser that loses three answers of ten and uploads for minutes, replicas whose clocks are up to a minute ' +
    'off, and backups that are restored while nothing is under way',
  () => {
    it.each(CHUNKS)('never sign an honest user out, in %i lives from seed %i on', async (count, first) => {
      expect(await failuresOf(count, first, 'honest')).toEqual([]);
    });

    it.each(CHUNKS)(
      'and a thief who polls and rotates every 1 to 120 seconds is noticed when both go on, in %i lives from seed %i on',
      async (count, first) => {
        expect(await failuresOf(count, first, 'theft')).toEqual([]);
      },
    );
  },
);
