import assert from 'node:assert/strict';
import {
  assertEqual,
  MINUTE,
  NOW,
  idleSince,
  numbered,
  overSince,
  row,
  rulesOf,
  store,
} from './contract-rule.js';

/*
 * The rules of `find`: rows by their ids.
 */

export const findRules = rulesOf('find', {
  'gives rows in the order of the ids, and null where there is none': async (backend) => {
    await store(backend, row('a'), row('b'), row('c'));
    assertEqual(await backend.find(['c', 'x', 'a', 'y']), [row('c'), null, row('a'), null]);
  },

  'gives a row each time its id is named': async (backend) => {
    await store(backend, row('a'));
    assertEqual(await backend.find(['a', 'x', 'a']), [row('a'), null, row('a')]);
  },

  'gives nothing for no ids': async (backend) => {
    await store(backend, row('a'));
    assertEqual(await backend.find([]), []);
  },

  'takes thousands of ids': async (backend) => {
    const ids = numbered('id', 3_000);
    await store(backend, row('id-0000'), row('id-1499'), row('id-2999'));
    const found = await backend.find(ids);
    assert.equal(found.length, ids.length);
    assertEqual(
      found.flatMap((each, index) => (each === null ? [] : [`${index} ${each.id}`])),
      ['0 id-0000', '1499 id-1499', '2999 id-2999'],
    );
  },

  'gives expired rows as they are': async (backend) => {
    const rows = [row('a', idleSince(NOW - 30 * 24 * 60 * MINUTE)), row('b', overSince(NOW - MINUTE))];
    await store(backend, ...rows);
    assertEqual(await backend.find(['a', 'b']), rows);
  },

  'sees what was acknowledged before it, whoever did it': async (backend) => {
    const use = { id: 'a', lastActiveAt: NOW + 1, expiresAt: NOW + 60 * MINUTE, now: NOW };
    const change = { ...use, expectedVersion: 1, version: 2, keyId: 'k1', payload: Buffer.from('new') };
    const look = async () => [await backend.find(['a']), await backend.find(['a'])].flat();
    for (let round = 0; round < 2; round++) {
      await store(backend, row('a'));
      await look();
      await backend.save([change]);
      assert.equal((await look()).map((each) => each?.version).join(), '2,2');
      await backend.delete({ ids: ['a'] });
      assert.equal((await look()).filter((each) => each !== null).length, 0);
      await backend.find(['b']); // so that the other backend is the one that changes the row in the next round
    }
  },

  'gives rows that belong to the caller: changing their bytes changes nothing stored': async (backend) => {
    await store(backend, row('a'));
    const [found] = await backend.find(['a']);
    found?.payload.fill(0);
    assertEqual(await backend.find(['a']), [row('a')]);
  },
});
