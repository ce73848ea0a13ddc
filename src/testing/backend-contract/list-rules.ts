import type { ListRequest } from '../../core/session-backend.js';
import { assertEqual, MINUTE, NOW, idleSince, overSince, row, rulesOf, store } from './contract-rule.js';

/*
 * The rules of `list`: the active sessions of one user, in order.
 */

function request(fields: Partial<ListRequest> = {}): ListRequest {
  return { userId: 'ada', now: NOW, orderBy: 'lastActiveAt', limit: null, ...fields };
}

const ids = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id);

const ROWS = [
  row('a', { lastActiveAt: NOW - 3, createdAt: NOW - 10 }),
  row('b', { lastActiveAt: NOW - 1, createdAt: NOW - 30 }),
  row('c', { lastActiveAt: NOW - 2, createdAt: NOW - 20 }),
];

export const listRules = rulesOf('list', {
  'gives whole rows, most recently active first': async (backend) => {
    await store(backend, ...ROWS);
    assertEqual(await backend.list(request()), [ROWS[1], ROWS[2], ROWS[0]]);
  },

  'gives the newest first when ordered by creation': async (backend) => {
    await store(backend, ...ROWS);
    assertEqual(ids(await backend.list(request({ orderBy: 'createdAt' }))), ['a', 'c', 'b']);
  },

  'orders equal instants by id, descending, byte for byte': async (backend) => {
    const tied = { lastActiveAt: NOW - 1, createdAt: NOW - 5 };
    await store(backend, ...['b', 'C', '\u{1F600}', 'a', '\uFF5E'].map((id) => row(id, tied)));
    const expected = ['\u{1F600}', '\uFF5E', 'b', 'a', 'C'];
    assertEqual(ids(await backend.list(request())), expected);
    assertEqual(ids(await backend.list(request({ orderBy: 'createdAt' }))), expected);
  },

  'gives no more than the limit, from the top': async (backend) => {
    await store(backend, ...ROWS);
    assertEqual(ids(await backend.list(request({ limit: 2 }))), ['b', 'c']);
    assertEqual(ids(await backend.list(request({ limit: 2, orderBy: 'createdAt' }))), ['a', 'c']);
    assertEqual(ids(await backend.list(request({ limit: 9 }))), ['b', 'c', 'a']);
  },

  'leaves expired rows out, also at the very instant, and does not let them use up the limit': async (
    backend,
  ) => {
    await store(
      backend,
      row('idle', idleSince(NOW - MINUTE)),
      row('idle-now', { ...idleSince(NOW), lastActiveAt: NOW }),
      row('over', overSince(NOW - MINUTE)),
      row('over-now', { ...overSince(NOW), lastActiveAt: NOW }),
      row('last-moment', { expiresAt: NOW + 1, lastActiveAt: NOW - 5 }),
      row('last-moment-over', { absoluteExpiresAt: NOW + 1, lastActiveAt: NOW - 6 }),
    );
    assertEqual(ids(await backend.list(request({ limit: 2 }))), ['last-moment', 'last-moment-over']);
  },

  'leaves the rows of others out, however similar their names': async (backend) => {
    const users = ['bob', 'Bob', 'bob ', 'b\u00f6b', 'bo\u0308b', 'bob%', null];
    await store(backend, ...users.map((userId, index) => row(`s${index}`, { userId })));
    assertEqual(ids(await backend.list(request({ userId: 'bob' }))), ['s0']);
    assertEqual(ids(await backend.list(request({ userId: 'Bob' }))), ['s1']);
    assertEqual(ids(await backend.list(request({ userId: 'bo\u0308b' }))), ['s4']);
    assertEqual(ids(await backend.list(request({ userId: 'bob%' }))), ['s5']);
  },

  'gives rows without a token as well': async (backend) => {
    await store(backend, row('a', { tokenHash: null }));
    assertEqual(await backend.list(request()), [row('a', { tokenHash: null })]);
  },

  'gives nothing for a user without rows': async (backend) => {
    await store(backend, ...ROWS);
    assertEqual(await backend.list(request({ userId: 'eve' })), []);
  },

  'gives rows that belong to the caller: changing their bytes changes nothing stored': async (backend) => {
    await store(backend, row('a'));
    const [listed] = await backend.list(request());
    listed?.payload.fill(0);
    assertEqual(await backend.find(['a']), [row('a')]);
  },
});
