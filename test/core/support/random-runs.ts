/** The share of its random runs that a spec makes: see jest-projects.js. */
declare const SHARE_OF_RANDOM_RUNS: number;

/**
 * The share of random runs that are made, of those that `npm run test:all` makes: `npm test` makes a twentieth. `RUNS=1` makes
 * all, `RUNS=10` ten times as many.
 */
export const SHARE = Number(process.env['RUNS'] ?? (isUnderJest() ? SHARE_OF_RANDOM_RUNS : 1));

/** Programs of the tests load this too, in processes of their own. */
function isUnderJest(): boolean {
  return typeof SHARE_OF_RANDOM_RUNS !== 'undefined';
}

/** How many random runs, or rounds of a race, to make in place of `runs`: an integer, 1 at least. */
export function someOf(runs: number): number {
  return Math.max(1, Math.round(runs * SHARE));
}
