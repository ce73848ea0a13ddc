import assert from 'node:assert/strict';
import type { EndedRow } from '../../core/session-row.js';
import {
  NOW,
  assertEqual,
  assertStored,
  idsOf,
  insertLimited,
  inserting,
  row,
  rulesOf,
  store,
} from './contract-rule.js';
import { UNCOUNTED, ended, evict, insertAtOnce, stored, used } from './limit-fixtures.js';

/*
 * The rules of `insert` with `onLimit: 'evict'`: over the limit the least recently active sessions end.
 */

export const evictRules = rulesOf('insert with a limit that evicts', {
  'evicts nobody while there is room, the new row included': async (backend) => {
    await store(backend, used('a', 2), used('b', 1));
    const result = await insertLimited(backend, row('new'), evict(3));
    assertEqual(result, { status: 'inserted', row: row('new'), replaced: null, evicted: [] });
    await assertStored(backend, { a: used('a', 2), b: used('b', 1), new: row('new') });
  },

  'ends the least recently active row, and says so': async (backend) => {
    await store(backend, used('a', 1), used('b', 3), used('c', 2));
    const evicted = [ended(used('b', 3))];
    const result = await insertLimited(backend, row('new'), evict(3));
    assertEqual(result, { status: 'inserted', row: row('new'), replaced: null, evicted });
    await assertStored(backend, { a: used('a', 1), b: null, c: used('c', 2), new: row('new') });
  },

  'goes by the last use, not by the creation': async (backend) => {
    await store(backend, used('a', 1, { createdAt: 1 }), used('b', 2, { createdAt: NOW }));
    await insertLimited(backend, row('new'), evict(2));
    await assertStored(backend, { a: used('a', 1, { createdAt: 1 }), b: null });
  },

  'takes the lower id of rows last active at the same instant, byte for byte': async (backend) => {
    await store(backend, used('b', 1), used('a', 1), used('C', 1), used('\u{1F600}', 1), used('\uFF5E', 1));
    const survivors = [];
    for (const id of ['n1', 'n2', 'n3', 'n4', 'n5']) {
      await insertLimited(backend, row(id), evict(5));
      const left = await backend.find(['C', 'a', 'b', '\uFF5E', '\u{1F600}']);
      survivors.push(left.map((each) => (each ? '+' : '-')).join(''));
    }
    assertEqual(survivors, ['-++++', '--+++', '---++', '----+', '-----']);
  },

  'ends as many as it takes when the limit has been lowered, least recently active first': async (
    backend,
  ) => {
    await store(backend, used('a', 4), used('b', 3), used('c', 2), used('d', 5));
    const result = await insertLimited(backend, row('new'), evict(2));
    const evicted = [ended(used('d', 5)), ended(used('a', 4)), ended(used('b', 3))];
    assertEqual(result, { status: 'inserted', row: row('new'), replaced: null, evicted });
    await assertStored(backend, { a: null, b: null, c: used('c', 2), d: null, new: row('new') });
  },

  'leaves the new row alone with a limit of one': async (backend) => {
    await store(backend, used('a', 0), used('b', 0));
    await insertLimited(backend, row('new'), evict(1));
    await assertStored(backend, { a: null, b: null, new: row('new') });
  },

  'never ends the new row, however old its last use and low its id': async (backend) => {
    await store(backend, used('b', 0), used('c', 0));
    const fresh = used('a', 9, { createdAt: NOW });
    await insertLimited(backend, fresh, evict(2));
    await assertStored(backend, { a: fresh, b: null, c: used('c', 0) });
  },

  'neither counts nor ends expired rows, rows without a token, and those of others': async (backend) => {
    await store(backend, ...UNCOUNTED, used('a', 1));
    const result = await insertLimited(backend, row('new'), evict(2));
    assertEqual(result, { status: 'inserted', row: row('new'), replaced: null, evicted: [] });
    await assertStored(backend, { ...stored(UNCOUNTED), a: used('a', 1), new: row('new') });
  },

  'ends a row that counts while others are older but do not': async (backend) => {
    await store(backend, ...UNCOUNTED, used('a', 1), used('b', 2));
    await insertLimited(backend, row('new'), evict(2));
    await assertStored(backend, { ...stored(UNCOUNTED), a: used('a', 1), b: null, new: row('new') });
  },

  'takes the later of creation and last use of the new row for the present': async (backend) => {
    const soon = used('a', 1, { expiresAt: NOW + 5 });
    await store(backend, soon, used('b', 0));
    await insertLimited(backend, row('new-1', { createdAt: NOW + 5 }), evict(2));
    await assertStored(backend, { a: soon, b: used('b', 0) });
    await insertLimited(backend, row('new-2', { lastActiveAt: NOW + 5 }), evict(3));
    await assertStored(backend, { a: soon, b: used('b', 0) });
  },

  'still counts a row one millisecond before its expiry': async (backend) => {
    await store(backend, used('a', 1, { expiresAt: NOW + 1 }), used('b', 2, { absoluteExpiresAt: NOW + 1 }));
    await insertLimited(backend, row('new'), evict(1));
    await assertStored(backend, { a: null, b: null });
  },

  'ends nobody for an anonymous row': async (backend) => {
    await store(backend, row('a', { userId: null }), row('b', { userId: null }), row('c'));
    await insertLimited(backend, row('new', { userId: null }), evict(1));
    await assertStored(backend, {
      a: row('a', { userId: null }),
      b: row('b', { userId: null }),
      c: row('c'),
    });
  },

  'ends nobody for a row without a token': async (backend) => {
    await store(backend, row('a'), row('b'));
    const keyed = row('new', { tokenHash: null });
    assert.equal((await insertLimited(backend, keyed, evict(1))).status, 'inserted');
    await assertStored(backend, { a: row('a'), b: row('b'), new: keyed });
  },

  'does not count the row it replaces': async (backend) => {
    await store(backend, used('a', 1), used('old', 9));
    const result = await backend.insert(inserting(row('new'), { limit: evict(2), replaces: 'old' }));
    assertEqual(result, { status: 'inserted', row: row('new'), replaced: used('old', 9), evicted: [] });
    await assertStored(backend, { a: used('a', 1), old: null, new: row('new') });
  },

  'ends nobody without a limit': async (backend) => {
    await store(backend, row('a'), row('b'), row('c'));
    assert.equal(
      (await backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null })).length,
      3,
    );
  },

  'is never exceeded by 50 inserts at once, and the last built remain': async (backend) => {
    const results = new Map<string, EndedRow>();
    const built = await insertAtOnce(async (build) => {
      const result = await backend.insert({ userId: 'ada', limit: evict(5), replaces: null, build });
      assert.equal(result.status, 'inserted');
      if (result.status !== 'inserted') return;
      for (const each of result.evicted)
        assert.equal(results.has(each.id), false, `${each.id} was ended twice`);
      for (const each of result.evicted) results.set(each.id, each);
    });
    const left = await backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null });
    assertEqual(idsOf(left), idsOf(built.slice(-5)));
    assert.equal(results.size, 45);
  },
});
