import assert from 'node:assert/strict';
import {
  assertEqual,
  assertStored,
  insertLimited,
  inserting,
  row,
  rulesOf,
  store,
  deleteActive,
} from './contract-rule.js';
import { UNCOUNTED, insertAtOnce, reject, stored, used } from './limit-fixtures.js';

/*
 * The rules of `insert` with `onLimit: 'reject'`: at the limit nothing is stored.
 */

export const rejectRules = rulesOf('insert with a limit that rejects', {
  'stores nothing and ends nobody when the user has as many': async (backend) => {
    await store(backend, used('a', 2), used('b', 1));
    assertEqual(await insertLimited(backend, row('new'), reject(2)), { status: 'limit' });
    await assertStored(backend, { a: used('a', 2), b: used('b', 1), new: null });
  },

  'inserts while there is room': async (backend) => {
    await store(backend, used('a', 2));
    const result = await insertLimited(backend, row('new'), reject(2));
    assertEqual(result, { status: 'inserted', row: row('new'), replaced: null, evicted: [] });
    await assertStored(backend, { a: used('a', 2), new: row('new') });
  },

  'stores nothing when the user already has more': async (backend) => {
    await store(backend, row('a'), row('b'), row('c'));
    assertEqual(await insertLimited(backend, row('new'), reject(2)), { status: 'limit' });
    await assertStored(backend, { a: row('a'), b: row('b'), c: row('c'), new: null });
  },

  'leaves the row it would replace alone': async (backend) => {
    await store(backend, row('a'), row('b'), row('old', { userId: null }));
    const request = inserting(row('new'), { limit: reject(2), replaces: 'old' });
    assertEqual(await backend.insert(request), { status: 'limit' });
    await assertStored(backend, { a: row('a'), b: row('b'), old: row('old', { userId: null }), new: null });
  },

  'does not count the row it replaces': async (backend) => {
    await store(backend, row('a'), row('old'));
    const result = await backend.insert(inserting(row('new'), { limit: reject(2), replaces: 'old' }));
    assert.equal(result.status, 'inserted');
    await assertStored(backend, { a: row('a'), old: null, new: row('new') });
  },

  'does not count expired rows, rows without a token, and those of others': async (backend) => {
    await store(backend, ...UNCOUNTED);
    assert.equal((await insertLimited(backend, row('new'), reject(1))).status, 'inserted');
    await assertStored(backend, { ...stored(UNCOUNTED), new: row('new') });
  },

  'always takes a row without a token': async (backend) => {
    await store(backend, row('a'));
    assert.equal(
      (await insertLimited(backend, row('new', { tokenHash: null }), reject(1))).status,
      'inserted',
    );
  },

  'lets exactly as many of 50 inserts at once in': async (backend) => {
    const statuses: string[] = [];
    await insertAtOnce(async (build) => {
      statuses.push(
        (await backend.insert({ userId: 'ada', limit: reject(5), replaces: null, build })).status,
      );
    });
    assert.equal(statuses.filter((status) => status === 'inserted').length, 5);
    assert.equal(statuses.filter((status) => status === 'limit').length, 45);
    assert.equal(await deleteActive(backend), 5);
  },
});
