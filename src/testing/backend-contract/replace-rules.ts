import assert from 'node:assert/strict';
import type { SessionRow } from '../../core/session-row.js';
import {
  assertEqual,
  MINUTE,
  NOW,
  assertStored,
  idleSince,
  inserting,
  row,
  rulesOf,
  store,
  deleteActive,
} from './contract-rule.js';

/*
 * The rules of `insert` with `replaces`: one session ends and another begins in one step.
 */

export const replaceRules = rulesOf('insert that replaces', {
  'ends the replaced row and returns it': async (backend) => {
    const anonymous = row('old', { userId: null, authenticatedAt: null });
    await store(backend, anonymous, row('other'));
    assertEqual(await backend.insert(inserting(row('new'), { replaces: 'old' })), {
      status: 'inserted',
      row: row('new'),
      replaced: anonymous,
      evicted: [],
    });
    await assertStored(backend, { old: null, new: row('new'), other: row('other') });
  },

  'gives build the replaced row as it stands': async (backend) => {
    await store(backend, row('old'));
    const next = { ...row('old'), tokenHash: 'e'.repeat(64), tokenUsed: true };
    const expected = { tokenHash: row('old').tokenHash, tokenUsed: false };
    assert.equal(await backend.changeToken({ id: 'old', expected, next, now: NOW }), true);
    const seen: Array<SessionRow | null> = [];
    const build = (replaced: SessionRow | null) => (seen.push(replaced), row('new'));
    await backend.insert(inserting(row('new'), { replaces: 'old', build }));
    assertEqual(seen.at(-1), next);
  },

  'gives build null, and inserts, when there is no such row': async (backend) => {
    const seen: Array<SessionRow | null> = [];
    const build = (replaced: SessionRow | null) => (seen.push(replaced), row('new'));
    const result = await backend.insert(inserting(row('new'), { replaces: 'gone', build }));
    assertEqual(result, { status: 'inserted', row: row('new'), replaced: null, evicted: [] });
    assert.equal(seen.at(-1), null);
    await assertStored(backend, { new: row('new') });
  },

  'gives build null when nothing is to be replaced': async (backend) => {
    await store(backend, row('old'));
    const seen: Array<SessionRow | null> = [];
    const build = (replaced: SessionRow | null) => (seen.push(replaced), row('new'));
    await backend.insert(inserting(row('new'), { build }));
    assert.equal(seen.at(-1), null);
    await assertStored(backend, { old: row('old'), new: row('new') });
  },

  'ends an expired row as well': async (backend) => {
    const old = row('old', idleSince(NOW - MINUTE));
    await store(backend, old);
    const result = await backend.insert(inserting(row('new'), { replaces: 'old' }));
    assertEqual(result, { status: 'inserted', row: row('new'), replaced: old, evicted: [] });
    await assertStored(backend, { old: null, new: row('new') });
  },

  'may store the new row under the id of the replaced one': async (backend) => {
    await store(backend, row('a'));
    const next = row('a', { payload: Buffer.from('next'), version: 2 });
    const result = await backend.insert(inserting(next, { replaces: 'a' }));
    assertEqual(result, { status: 'inserted', row: next, replaced: row('a'), evicted: [] });
    await assertStored(backend, { a: next });
  },

  'leaves the replaced row alone when the new id is taken': async (backend) => {
    await store(backend, row('old'), row('new'));
    const other = row('new', { version: 7 });
    assertEqual(await backend.insert(inserting(other, { replaces: 'old' })), { status: 'taken' });
    await assertStored(backend, { old: row('old'), new: row('new') });
  },

  'evicts nobody when the new id is taken': async (backend) => {
    await store(backend, row('a'), row('b'), row('new', { userId: 'eve' }));
    const limit = { max: 1, onLimit: 'evict' } as const;
    assertEqual(await backend.insert(inserting(row('new'), { limit, replaces: 'b' })), {
      status: 'taken',
    });
    await assertStored(backend, { a: row('a'), b: row('b'), new: row('new', { userId: 'eve' }) });
  },

  'lets exactly one of many concurrent inserts replace a row': async (backend) => {
    await store(backend, row('old'));
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => {
        const built = row(`new-${index}`);
        const build = (replaced: SessionRow | null) => (replaced ? built : null);
        return backend.insert(inserting(built, { replaces: 'old', build }));
      }),
    );
    assert.equal(results.filter((result) => result.status === 'inserted').length, 1);
    assert.equal(results.filter((result) => result.status === 'refused').length, 19);
    assert.equal(await deleteActive(backend), 1);
  },

  'leaves no row of a user whose rows are all deleted at once, whichever comes first': async (backend) => {
    for (let round = 0; round < 40; round++) {
      const [old, next, other] = [row(`old-${round}`), row(`new-${round}`), row(`other-${round}`)];
      await store(backend, old, other);
      const build = (replaced: SessionRow | null) => (replaced ? next : null);
      const insert = () => backend.insert(inserting(next, { replaces: old.id, build }));
      const remove = () => backend.delete({ userId: 'ada', exceptId: other.id });
      await Promise.all(round % 2 === 0 ? [insert(), remove()] : [remove(), insert()]);
      await assertStored(backend, { [old.id]: null, [next.id]: null, [other.id]: other });
      await backend.delete({ ids: [other.id] });
    }
  },

  'is never seen half done': async (backend) => {
    await store(backend, row('session-00'));
    for (let turn = 0; turn < 10; turn++) {
      const [old, next] = [`session-0${turn}`, `session-0${turn + 1}`];
      const insert = backend.insert(inserting(row(next), { replaces: old }));
      const lists = [];
      for (let look = 0; look < 10; look++) {
        lists.push(backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null }));
        await Promise.resolve();
      }
      for (const seen of await Promise.all(lists)) assert.equal(seen.length, 1);
      assert.equal((await insert).status, 'inserted');
    }
  },
});
