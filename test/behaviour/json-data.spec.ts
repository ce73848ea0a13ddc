import { onEachPlatform } from '../support/open-app.js';
import type { Routes } from '../support/routes.js';
import { BASICS, dataOf, refusal } from '../support/session-routes.js';
import { rowsOf } from '../support/storage.js';

interface Cyclic {
  self?: Cyclic;
}
const cycle: Cyclic = {};
cycle.self = cycle;

const REFUSED: readonly [string, unknown, number, string][] = [
  ['a BigInt', 1n, 500, 'session_data_invalid'],
  ['NaN', { deep: [Number.NaN] }, 500, 'session_data_invalid'],
  ['a Map', new Map([['a', 1]]), 500, 'session_data_invalid'],
  ['a Set', new Set([1]), 500, 'session_data_invalid'],
  ['a function', { run: () => 1 }, 500, 'session_data_invalid'],
  ['a symbol', Symbol('x'), 500, 'session_data_invalid'],
  ['a cycle', cycle, 500, 'session_data_invalid'],
  ['an own `__proto__`', JSON.parse('{"__proto__":{"admin":true}}'), 400, 'session_data_invalid'],
  ['a changed prototype', Object.create({ admin: true }), 400, 'session_data_invalid'],
  ['1 MB', 'x'.repeat(1_000_000), 413, 'session_too_large'],
];

/** Every way to store a value. */
const waysToStore = (value: unknown): Routes => ({
  put: ({ session }) => session.set('bad', value),
  beside: ({ session }) => void Object.assign(session.data, { good: 'too, but not alone', bad: value }),
  assign: ({ session }) => void (session.data = { ...session.data, bad: value }),
  update: ({ session }) => session.update((data) => void (data['bad'] = value)),
  signIn: ({ session }) => session.authenticate('ada', { data: { bad: value } }),
  save: ({ session }) => {
    session.data['bad'] = value;
    return session.save();
  },
});

onEachPlatform('rule 11, data that is not JSON, or too much', (open) => {
  it.each(REFUSED)(
    'is a named error, nothing is saved and the old data stays: %s',
    async (_, value, status, code) => {
      const routes = waysToStore(value);
      const { browser, storage } = await open({ routes: { ...routes, ...BASICS } });
      const ada = browser();
      await ada.post('/do/set', { theme: 'light' });
      const [row] = rowsOf(storage);
      const cookie = await ada.cookie();
      const paths = [...Object.keys(routes).map((name) => `/do/${name}`), '/raw/beside', '/raw/save'];
      for (const path of paths) {
        const reply = await ada.post(path);
        expect([path, refusal(reply)]).toEqual([path, { status, code }]);
        expect(reply.text).not.toContain('admin');
      }
      expect(await dataOf(ada)).toEqual({ theme: 'light' });
      expect(rowsOf(storage)).toEqual([row]);
      expect(await ada.cookie()).toBe(cookie);
      expect(({} as { admin?: boolean }).admin).toBeUndefined();
    },
  );

  it('does not keep the other changes of a handler from being saved, when it is the call that throws', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        bad: ({ session }) => {
          session.data['good'] = 'kept';
          return session.update((data) => void (data['bad'] = 1n));
        },
      },
    });
    const visitor = browser();
    expect((await visitor.post('/do/bad')).status).toBe(500);
    expect(await dataOf(visitor)).toEqual({ good: 'kept' });
  });

  it('pollutes no prototype through a parsed body', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        merge: ({ session, query }) => void Object.assign(session.data, JSON.parse(query['json'] ?? '{}')),
      },
    });
    const visitor = browser();
    const json = encodeURIComponent('{"__proto__":{"admin":true},"theme":"dark"}');
    await visitor.get(`/do/merge?json=${json}`);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    expect((await dataOf(visitor))['admin']).toBeUndefined();
  });
});
