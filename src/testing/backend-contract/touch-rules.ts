import type { Touch } from '../../core/session-backend.js';
import {
  assertEqual,
  MINUTE,
  NOW,
  assertStored,
  idleSince,
  overSince,
  row,
  rulesOf,
  store,
} from './contract-rule.js';

/*
 * The rules of `touch`: use of sessions is recorded.
 */

/** A use of a row, a minute after it was stored. */
function use(id: string, fields: Partial<Touch> = {}): Touch {
  return { id, lastActiveAt: NOW + MINUTE, expiresAt: NOW + 61 * MINUTE, now: NOW + MINUTE, ...fields };
}

export const touchRules = rulesOf('touch', {
  'stores last use and expiry, and nothing else': async (backend) => {
    await store(backend, row('a'), row('b'));
    assertEqual(await backend.touch([use('a')]), [true]);
    const expected = row('a', { lastActiveAt: NOW + MINUTE, expiresAt: NOW + 61 * MINUTE });
    await assertStored(backend, { a: expected, b: row('b') });
  },

  'never moves last use or expiry back, each on its own, and says true': async (backend) => {
    await store(backend, row('a'), row('b'), row('c'));
    const early = { lastActiveAt: NOW - MINUTE };
    const short = { expiresAt: NOW + 2 * MINUTE };
    const hits = await backend.touch([use('a', early), use('b', short), use('c', { ...early, ...short })]);
    assertEqual(hits, [true, true, true]);
    await assertStored(backend, {
      a: row('a', { expiresAt: NOW + 61 * MINUTE }),
      b: row('b', { lastActiveAt: NOW + MINUTE }),
      c: row('c'),
    });
  },

  'keeps the latest of many at once': async (backend) => {
    await store(backend, row('a'));
    const uses = [7, 3, 9, 1, 5].map((minutes) =>
      use('a', { lastActiveAt: NOW + minutes * MINUTE, expiresAt: NOW + (60 + minutes) * MINUTE }),
    );
    const hits = (await Promise.all(uses.map((each) => backend.touch([each])))).flat();
    assertEqual(hits, [true, true, true, true, true]);
    await assertStored(backend, {
      a: row('a', { lastActiveAt: NOW + 9 * MINUTE, expiresAt: NOW + 69 * MINUTE }),
    });
  },

  'never moves the expiry past the absolute one': async (backend) => {
    await store(backend, row('a'));
    assertEqual(await backend.touch([use('a', { expiresAt: NOW + 9_000 * MINUTE })]), [true]);
    const { absoluteExpiresAt } = row('a');
    await assertStored(backend, {
      a: row('a', { lastActiveAt: NOW + MINUTE, expiresAt: absoluteExpiresAt }),
    });
  },

  'never revives a row whose idle timeout has passed, also at the very instant': async (backend) => {
    const rows = { a: row('a', idleSince(NOW)), b: row('b', idleSince(NOW - MINUTE)) };
    await store(backend, rows.a, rows.b);
    const uses = [use('a', { now: NOW }), use('b', { now: NOW })];
    for (const alone of uses) assertEqual(await backend.touch([alone]), [false]);
    assertEqual(await backend.touch(uses), [false, false]);
    await assertStored(backend, rows);
  },

  'never revives a row past its absolute expiry, also at the very instant': async (backend) => {
    const rows = { a: row('a', overSince(NOW)), b: row('b', overSince(NOW - MINUTE)) };
    await store(backend, rows.a, rows.b);
    const uses = [use('a', { now: NOW }), use('b', { now: NOW })];
    for (const alone of uses) assertEqual(await backend.touch([alone]), [false]);
    assertEqual(await backend.touch(uses), [false, false]);
    await assertStored(backend, rows);
  },

  'hits one millisecond before the expiry': async (backend) => {
    await store(backend, row('a', { expiresAt: NOW + 1 }), row('b', { absoluteExpiresAt: NOW + 1 }));
    assertEqual(await backend.touch([use('a', { now: NOW }), use('b', { now: NOW })]), [true, true]);
  },

  'leaves a row that was active after the instant given, and takes one that was not, to the millisecond':
    async (backend) => {
      await store(backend, row('a'), row('b'), row('c'));
      const { lastActiveAt } = row('a');
      const hits = await backend.touch([
        use('a', { unlessActiveAfter: lastActiveAt - 1 }),
        use('b', { unlessActiveAfter: lastActiveAt }),
        use('c', { unlessActiveAfter: lastActiveAt + 1 }),
      ]);
      assertEqual(hits, [false, true, true]);
      const touched = { lastActiveAt: NOW + MINUTE, expiresAt: NOW + 61 * MINUTE };
      await assertStored(backend, { a: row('a'), b: row('b', touched), c: row('c', touched) });
    },

  'lets one of many through that except each other': async (backend) => {
    await store(backend, row('a'));
    const { lastActiveAt } = row('a');
    const uses = [1, 2, 3, 4, 5].map((n) =>
      use('a', { lastActiveAt: NOW + MINUTE + n, unlessActiveAfter: lastActiveAt }),
    );
    const hits = (await Promise.all(uses.map((each) => backend.touch([each])))).flat();
    assertEqual(hits.filter(Boolean), [true]);
  },

  'gives an outcome for each, and a miss stops no other': async (backend) => {
    await store(backend, row('a'), row('b', idleSince(NOW)), row('c'));
    assertEqual(await backend.touch([use('a'), use('x'), use('b'), use('c')]), [true, false, false, true]);
    await assertStored(backend, { b: row('b', idleSince(NOW)), x: null });
  },

  'does nothing for no touches': async (backend) => {
    assertEqual(await backend.touch([]), []);
  },

  'never creates a row, nor brings a deleted one back': async (backend) => {
    await store(backend, row('a'));
    await backend.delete({ ids: ['a'] });
    assertEqual(await backend.touch([use('a'), use('b')]), [false, false]);
    await assertStored(backend, { a: null, b: null });
  },

  'does not undo a save that runs beside it': async (backend) => {
    await store(backend, row('a'));
    const saved = { version: 2, keyId: 'k2', payload: Buffer.from('saved') };
    const change = { ...use('a'), ...saved, expectedVersion: 1 };
    const hits = await Promise.all([
      backend.touch([use('a')]),
      backend.save([change]),
      backend.touch([use('a')]),
    ]);
    assertEqual(hits, [[true], [true], [true]]);
    const expected = row('a', { ...saved, lastActiveAt: NOW + MINUTE, expiresAt: NOW + 61 * MINUTE });
    await assertStored(backend, { a: expected });
  },
});
