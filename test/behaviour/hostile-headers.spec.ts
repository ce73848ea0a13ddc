import fc from 'fast-check';
import { PROPERTY_SEED } from '../core/support/property-seed.js';
import { someOf } from '../core/support/random-runs.js';
import { PLATFORMS } from '../support/open-app.js';
import { type FuzzedApp, type Headers, openFuzzed } from './support/fuzzed-app.js';
import { invented, LENGTH, mutated } from './support/header-arbitraries.js';

/** Headers of one test. */
const RUNS = 5_050;
/**
 * Tests of each kind, on each platform, each with a seed of its own. One of them notices a signature of which a single
 * character is not checked.
 */
const SEEDS = Array.from({ length: someOf(2) }, (_, index) => PROPERTY_SEED + index);

/** Whom a header could name at most: whose token stands in it, letter by letter. */
function claimOf(
  { cookie = '', authorization = '' }: Headers,
  { tokens }: FuzzedApp,
): 'ada' | 'grace' | null {
  if (cookie.includes(tokens.cookie)) return 'ada';
  return authorization.includes(tokens.bearer) ? 'grace' : null;
}

/** A token whose session has ended is genuine: it may be looked up, and is not found. */
function mayLookUp({ cookie = '', authorization = '' }: Headers, { tokens }: FuzzedApp): boolean {
  return [tokens.cookie, tokens.bearer, ...tokens.others].some(
    (token) => cookie.includes(token) || authorization.includes(token),
  );
}

describe.each(PLATFORMS)('Cookie and Authorization headers on %s', (platform) => {
  it.each(SEEDS.flatMap((seed) => [['mutated', seed] as const, ['invented', seed] as const]))(
    `${RUNS} of them, %s, from seed %i: no error, no forgery, no look-up but for genuine tokens`,
    async (kind, seed) => {
      const app = await openFuzzed(platform);
      const { storage, tokens } = app;
      expect(new Set([tokens.cookie, tokens.bearer, ...tokens.others].map(({ length }) => length))).toEqual(
        new Set([LENGTH]),
      );
      const seen = { asked: 0, accepted: 0, lookedUp: 0, refused: 0 };
      const property = fc.asyncProperty(kind === 'mutated' ? mutated(tokens) : invented, async (headers) => {
        storage.forget();
        const { status, userId, setsCookie } = await app.ask(headers);
        if (status !== 200 && status !== 400) throw new Error(`It is answered with ${status}`);
        if (setsCookie) throw new Error('It is given a cookie');
        const claim = claimOf(headers, app);
        if (userId !== null && userId !== claim) throw new Error(`It passes for ${userId}`);
        const others = storage.calls.filter((call) => call !== 'find');
        if (others.length > 0) throw new Error(`It makes storage ${others.join(', ')}`);
        if (storage.calls.length > 0 && !mayLookUp(headers, app)) throw new Error('It is looked up');
        seen.asked++;
        seen.accepted += userId === null ? 0 : 1;
        seen.lookedUp += storage.calls.length > 0 ? 1 : 0;
        seen.refused += status === 400 ? 1 : 0;
      });
      await fc.assert(property, { numRuns: RUNS, seed });
      expect(seen.asked).toBe(RUNS);
      // The oracle would not notice an app that accepts nothing.
      if (kind === 'mutated')
        expect(Math.min(seen.accepted, seen.lookedUp, seen.refused)).toBeGreaterThan(10);
      else expect([seen.accepted, seen.lookedUp]).toEqual([0, 0]);
      expect(await app.ask({ cookie: `__Host-sid=${tokens.cookie}` })).toMatchObject({ userId: 'ada' });
      expect(await app.ask({ authorization: `Bearer ${tokens.bearer}` })).toMatchObject({ userId: 'grace' });
      expect(app.log.lines).toEqual([]);
      await app.app.close();
    },
  );
});
