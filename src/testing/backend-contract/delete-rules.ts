import type { RowSelection, SessionBackend } from '../../core/session-backend.js';
import type { EndedRow, SessionRow } from '../../core/session-row.js';
import {
  assertEqual,
  MINUTE,
  NOW,
  assertStored,
  idleSince,
  idsOf,
  numbered,
  row,
  rulesOf,
  store,
} from './contract-rule.js';

/*
 * The rules of `delete`: by ids, by user, and all.
 */

const endedRow = ({ id, userId, expiresAt, absoluteExpiresAt }: SessionRow): EndedRow => {
  return { id, userId, expiresAt, absoluteExpiresAt };
};

/** Two rows of ada, one of Ada, one anonymous; the second has expired. */
const ROWS = {
  a: row('a'),
  b: row('b', idleSince(NOW - MINUTE)),
  c: row('c', { userId: 'Ada' }),
  d: row('d', { userId: null }),
};

export const deleteRules = rulesOf('delete', {
  'by ids: deletes those rows, expired or not, and says which': async (backend) => {
    await store(backend, ...Object.values(ROWS));
    const ended = await backend.delete({ ids: ['b', 'x', 'c'] });
    assertEqual(
      ended.toSorted((one, other) => (one.id < other.id ? -1 : 1)),
      [endedRow(ROWS.b), endedRow(ROWS.c)],
    );
    await assertStored(backend, { ...ROWS, b: null, c: null });
  },

  'by ids: is idempotent': async (backend) => {
    await store(backend, ...Object.values(ROWS));
    assertEqual(idsOf(await backend.delete({ ids: ['a'] })), ['a']);
    assertEqual(await backend.delete({ ids: ['a'] }), []);
  },

  'by ids: says a row once, however often it is named': async (backend) => {
    await store(backend, ...Object.values(ROWS));
    assertEqual(idsOf(await backend.delete({ ids: ['a', 'a', 'c', 'a'] })), ['a', 'c']);
  },

  'by ids: leaves nothing of a row whose token was replaced': async (backend) => {
    const rotated = row('a', { supersededHash: 'f'.repeat(64), graceUntil: NOW + MINUTE });
    await store(backend, rotated);
    await backend.delete({ ids: ['a'] });
    await assertStored(backend, { a: null });
    assertEqual(await backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null }), []);
  },

  'by ids: deletes nothing for none': async (backend) => {
    await store(backend, ...Object.values(ROWS));
    assertEqual(await backend.delete({ ids: [] }), []);
    assertEqual(await backend.delete({ ids: [], userId: 'ada' }), []);
    await assertStored(backend, ROWS);
  },

  'by ids of a user: leaves those of others alone': async (backend) => {
    await store(backend, ...Object.values(ROWS));
    assertEqual(idsOf(await backend.delete({ ids: ['a', 'b', 'c', 'd'], userId: 'ada' })), ['a', 'b']);
    await assertStored(backend, { ...ROWS, a: null, b: null });
  },

  'by ids: takes more than a thousand': async (backend) => {
    const ids = numbered('id', 1_300);
    await store(backend, row('id-0000'), row('id-0600'), row('id-1299'), row('other'));
    assertEqual(idsOf(await backend.delete({ ids })), ['id-0000', 'id-0600', 'id-1299']);
    await assertStored(backend, { other: row('other') });
  },

  'by user: deletes all of that user, expired or not, and nothing else': async (backend) => {
    await store(backend, ...Object.values(ROWS));
    assertEqual(idsOf(await backend.delete({ userId: 'ada' })), ['a', 'b']);
    await assertStored(backend, { ...ROWS, a: null, b: null });
  },

  'by user with an exception: keeps that row': async (backend) => {
    await store(backend, ...Object.values(ROWS), row('A'));
    assertEqual(idsOf(await backend.delete({ userId: 'ada', exceptId: 'a' })), ['A', 'b']);
    await assertStored(backend, { ...ROWS, A: null, b: null });
  },

  'by user with an exception: an exception of another user changes nothing': async (backend) => {
    await store(backend, ...Object.values(ROWS));
    assertEqual(idsOf(await backend.delete({ userId: 'ada', exceptId: 'c' })), ['a', 'b']);
    await assertStored(backend, { ...ROWS, a: null, b: null });
  },

  'reports each row exactly once among many at once': async (backend) => {
    for (let round = 0; round < 5; round++) await deleteAtOnce(backend);
  },
});

/** Every way to delete the same rows, four times, all at once. */
async function deleteAtOnce(backend: SessionBackend): Promise<void> {
  const ids = numbered('id', 12);
  await store(backend, ...ids.map((id) => row(id)));
  const selections: RowSelection[] = [
    { ids },
    ...ids.map((id) => ({ ids: [id] })),
    { ids: ids.toReversed(), userId: 'ada' },
    { userId: 'ada' },
    { userId: 'ada', exceptId: 'id-0003' },
  ];
  const all = [selections, selections.toReversed(), selections, selections.toReversed()].flat();
  const ended = await Promise.all(all.map((each) => backend.delete(each)));
  assertEqual(idsOf(ended.flat()), ids);
}
