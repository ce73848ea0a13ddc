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

  'gives rows that belong to the caller: changing their bytes changes nothing stored': async (backend) => {
    await store(backend, row('a'));
    const [found] = await backend.find(['a']);
    found?.payload.fill(0);
    assertEqual(await backend.find(['a']), [row('a')]);
  },
});
