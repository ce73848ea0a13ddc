import assert from 'node:assert/strict';
import type { SessionBackend } from '../../core/session-backend.js';
import {
  assertEqual,
  assertStored,
  deleteActive,
  idleSince,
  MINUTE,
  NOW,
  row,
  rulesOf,
  store,
} from './contract-rule.js';

/*
 * The rules of `claimCleanup`: of several processes one cleans up. A storage that says it has no lease gives it to everybody.
 */

/** Claims the lease for half an hour, unless the times are others. */
function claim(
  backend: SessionBackend,
  holder: string,
  { now = NOW, until = now + 30 * MINUTE }: { now?: number; until?: number } = {},
): Promise<boolean> {
  return backend.claimCleanup({ holder, now, until });
}

/** What the claims of others are told: `false` where there is a lease. */
const others = (backend: SessionBackend): boolean => !backend.leasesCleanup;

export const claimCleanupRules = rulesOf('claimCleanup', {
  'gives the lease to one holder until it ends, to the millisecond, and then to the next': async (
    backend,
  ) => {
    assert.equal(await claim(backend, 'one'), true);
    assert.equal(await claim(backend, 'other'), others(backend));
    const last = NOW + 30 * MINUTE - 1;
    assert.equal(await claim(backend, 'other', { now: last }), others(backend));
    assert.equal(await claim(backend, 'other', { now: last + 1 }), true);
    assert.equal(await claim(backend, 'one', { now: last + 1 }), others(backend));
  },

  'gives it to the holder again, who may so hold it for longer': async (backend) => {
    assert.equal(await claim(backend, 'one'), true);
    assert.equal(await claim(backend, 'one', { now: NOW + 20 * MINUTE }), true);
    assert.equal(await claim(backend, 'other', { now: NOW + 40 * MINUTE }), others(backend));
    assert.equal(await claim(backend, 'other', { now: NOW + 50 * MINUTE }), true);
  },

  'takes it back from the holder, and from nobody else': async (backend) => {
    assert.equal(await claim(backend, 'one'), true);
    assert.equal(await claim(backend, 'other', { until: NOW }), others(backend));
    assert.equal(await claim(backend, 'other'), others(backend));
    assert.equal(await claim(backend, 'one', { until: NOW }), true);
    assert.equal(await claim(backend, 'other'), true);
  },

  'is not kept off by a lease that a clock has written which was far ahead': async (backend) => {
    assert.equal(await claim(backend, 'one', { now: NOW + 100_000 * MINUTE }), true);
    assert.equal(await claim(backend, 'other'), true);
    assert.equal(await claim(backend, 'one'), others(backend));
  },

  'gives it to one of many who claim it at the same time': async (backend) => {
    for (let round = 0; round < 4; round++) {
      const now = NOW + round * 60 * MINUTE;
      const holders = Array.from({ length: 12 }, (_, index) => `${round}-${index}`);
      const got = await Promise.all(holders.map((holder) => claim(backend, holder, { now })));
      assert.equal(got.filter(Boolean).length, backend.leasesCleanup ? 1 : 12);
    }
  },

  'keeps it as no session: nothing gives, counts, deletes or ends it': async (backend) => {
    await store(backend, row('a'), row('b', { userId: null }), row('c', idleSince(NOW)));
    assert.equal(await claim(backend, 'one'), true);
    const pages = { now: NOW, cursor: null, batchSize: 100 };
    const { rows } = await backend.walk({ ...pages, limit: 100, activeSince: null, authenticated: null });
    assertEqual(rows.map(({ id }) => id).toSorted(), ['a', 'b']);
    assertEqual([...(await backend.keysInUse(NOW))], ['k1']);
    assertEqual(await backend.prune(pages), { deleted: 1, next: null });
    assertEqual(await backend.prune({ ...pages, now: NOW + 10_000 * MINUTE }), { deleted: 2, next: null });
    await store(backend, row('d'));
    assert.equal(await deleteActive(backend), 1);
    assert.equal(await deleteActive(backend), 0);
    await store(backend, row('a'));
    await assertStored(backend, { a: row('a') });
    assert.equal(await claim(backend, 'other'), others(backend));
  },
});
