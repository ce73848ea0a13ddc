import assert from 'node:assert/strict';
import type { SessionRow } from '../../core/session-row.js';
import {
  assertEqual,
  assertStored,
  idleSince,
  MINUTE,
  NOW,
  numbered,
  overSince,
  row,
  rulesOf,
  store,
} from './contract-rule.js';
import { ended as told } from './limit-fixtures.js';

/*
 * The rules of `alive`: which sessions are active, by their ids.
 */

/** Rows that are active at `NOW`, each in its own way. */
const LIVE: readonly SessionRow[] = [
  row('a'),
  row('anonymous', { userId: null }),
  row('idle-soon', { expiresAt: NOW + 1 }),
  row('over-soon', { absoluteExpiresAt: NOW + 1 }),
  row('keyed', { tokenHash: null }),
];

/** Rows that are not. */
const EXPIRED: readonly SessionRow[] = [
  row('idle', idleSince(NOW - MINUTE)),
  row('idle-now', idleSince(NOW)),
  row('over', overSince(NOW - MINUTE)),
  row('over-now', overSince(NOW)),
];

export const aliveRules = rulesOf('alive', {
  'tells whose each active row is and when it expires, in the order of the ids': async (backend) => {
    await store(backend, ...LIVE);
    const ids = [...LIVE.map(({ id }) => id).toReversed(), 'x'];
    assertEqual(await backend.alive(ids, NOW), [...LIVE.toReversed().map(told), null]);
  },

  'gives null for expired rows, also at the very instant, and leaves them stored': async (backend) => {
    await store(backend, ...EXPIRED, row('a'));
    const ids = [...EXPIRED.map(({ id }) => id), 'a'];
    assertEqual(await backend.alive(ids, NOW), [...EXPIRED.map(() => null), told(row('a'))]);
    await assertStored(backend, Object.fromEntries(EXPIRED.map((each) => [each.id, each])));
  },

  'goes by the instant that it is given': async (backend) => {
    await store(backend, row('a'));
    const { expiresAt } = row('a');
    assertEqual(await backend.alive(['a'], expiresAt - 1), [told(row('a'))]);
    assertEqual(await backend.alive(['a'], expiresAt), [null]);
  },

  'tells a row each time its id is named': async (backend) => {
    await store(backend, row('a'));
    assertEqual(await backend.alive(['a', 'x', 'a'], NOW), [told(row('a')), null, told(row('a'))]);
  },

  'compares ids byte for byte': async (backend) => {
    await store(backend, row('a'), row('A'), row('ä'));
    assertEqual(await backend.alive(['a ', 'A', 'Ä', 'ä', 'a'], NOW), [
      null,
      told(row('A')),
      null,
      told(row('ä')),
      told(row('a')),
    ]);
  },

  'gives nothing for no ids': async (backend) => {
    await store(backend, row('a'));
    assertEqual(await backend.alive([], NOW), []);
  },

  'takes thousands of ids': async (backend) => {
    const ids = numbered('id', 3_000);
    await store(backend, row('id-0000'), row('id-0511'), row('id-0512'), row('id-2999'));
    const found = await backend.alive(ids, NOW);
    assert.equal(found.length, ids.length);
    assertEqual(
      found.flatMap((each, index) => (each === null ? [] : [`${index} ${each.id}`])),
      ['0 id-0000', '511 id-0511', '512 id-0512', '2999 id-2999'],
    );
  },

  'sees what was acknowledged before it': async (backend) => {
    await store(backend, row('a'), row('b'), row('c'));
    await backend.delete({ ids: ['a'] });
    const later = { lastActiveAt: NOW + MINUTE, expiresAt: NOW + 90 * MINUTE };
    await backend.touch([{ id: 'b', ...later, now: NOW }]);
    assertEqual(await backend.alive(['a', 'b', 'c'], NOW), [
      null,
      { ...told(row('b')), expiresAt: later.expiresAt },
      told(row('c')),
    ]);
  },
});
