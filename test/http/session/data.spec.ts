import { onEachPlatform } from '../../support/open-app.js';
import { BASICS, dataOf, door, refusal } from '../../support/session-routes.js';

onEachPlatform('session.data', (open) => {
  it('is saved when something deep inside is changed, added or removed', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        fill: ({ session }) => {
          session.data['shop'] = { cart: [{ sku: 'tea', tags: ['a', 'b'] }], coupon: { code: 'X' } };
        },
        change: ({ session }) => {
          const shop = session.data['shop'] as { cart: { sku: string; tags: string[] }[]; coupon?: object };
          shop.cart[0]?.tags.push('c');
          shop.cart.push({ sku: 'issuer', tags: [] });
          delete shop.coupon;
        },
      },
    });
    const visitor = browser();
    await visitor.post('/do/fill');
    await visitor.post('/do/change');
    expect(await dataOf(visitor)).toEqual({
      shop: {
        cart: [
          { sku: 'tea', tags: ['a', 'b', 'c'] },
          { sku: 'issuer', tags: [] },
        ],
      },
    });
  });

  it('is not written when it was only read, or set to what it was', async () => {
    const { browser, storage } = await open({
      routes: { ...BASICS, same: ({ session }) => void (session.data.cart = [...(session.data.cart ?? [])]) },
    });
    const visitor = browser();
    await visitor.post('/do/set', { cart: ['tea'] });
    storage.forget();
    await visitor.get('/do/data');
    await visitor.get('/do/same');
    expect(storage.calls).toEqual(['find', 'find']);
  });

  it('holds Dates and entities in their JSON form once stored', async () => {
    class Point {
      constructor(
        readonly x: number,
        readonly y: number,
      ) {}
    }
    const { browser } = await open({
      routes: {
        ...BASICS,
        fill: ({ session }) =>
          void Object.assign(session.data, { at: new Date(0), point: new Point(1, 2), nothing: undefined }),
      },
    });
    const visitor = browser();
    await visitor.post('/do/fill');
    expect(await dataOf(visitor)).toEqual({ at: '1970-01-01T00:00:00.000Z', point: { x: 1, y: 2 } });
  });

  it('when assigned, replaces all that is stored, also what another request has stored meanwhile', async () => {
    const [arrived, wait] = [door(), door()];
    const { browser } = await open({
      routes: {
        ...BASICS,
        assign: async ({ session }) => {
          session.data = { only: 'this' };
          arrived.open();
          await wait.opened;
        },
      },
    });
    const visitor = browser();
    await visitor.post('/do/set', { a: '1', b: '2' });
    const { reply } = await visitor.start('POST', '/do/assign');
    await arrived.opened;
    await visitor.post('/do/set', { c: '3' });
    wait.open();
    expect((await reply).status).toBe(200);
    expect(await dataOf(visitor)).toEqual({ only: 'this' });
  });

  it('can be changed further after it was assigned', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        assign: ({ session }) => {
          session.data = { a: '1' };
          session.data['b'] = '2';
        },
      },
    });
    const visitor = browser();
    await visitor.post('/do/set', { old: 'x' });
    await visitor.post('/do/assign');
    expect(await dataOf(visitor)).toEqual({ a: '1', b: '2' });
  });

  it.each([
    ['null', null],
    ['a string', 'text'],
    ['an array', ['a']],
    ['undefined', undefined],
  ])('cannot be %s: the assignment throws, and the old data stays', async (_, value) => {
    const { browser } = await open({
      routes: { ...BASICS, assign: ({ session }) => void Reflect.set(session, 'data', value) },
    });
    const visitor = browser();
    await visitor.post('/do/set', { a: '1' });
    expect(refusal(await visitor.post('/do/assign'))).toEqual({ status: 400, code: 'session_data_invalid' });
    expect(await dataOf(visitor)).toEqual({ a: '1' });
  });

  it('is emptied by `clear()`, also of what another request has stored meanwhile', async () => {
    const [arrived, wait] = [door(), door()];
    const { browser } = await open({
      routes: {
        ...BASICS,
        clear: async ({ session }) => {
          session.clear();
          arrived.open();
          await wait.opened;
        },
      },
    });
    const visitor = browser();
    await visitor.post('/do/set', { a: '1' });
    const cookie = await visitor.cookie();
    const { reply } = await visitor.start('POST', '/do/clear');
    await arrived.opened;
    await visitor.post('/do/set', { b: '2' });
    wait.open();
    expect((await reply).status).toBe(200);
    expect(await dataOf(visitor)).toEqual({});
    expect(await visitor.cookie()).toBe(cookie);
  });

  it('belongs to one session: two browsers share nothing', async () => {
    const { browser } = await open({ routes: BASICS });
    const [one, two] = [browser(), browser()];
    await one.post('/do/set', { a: '1' });
    await two.post('/do/set', { b: '2' });
    expect(await dataOf(one)).toEqual({ a: '1' });
    expect(await dataOf(two)).toEqual({ b: '2' });
  });
});

onEachPlatform('get, set, has, remove and take', (open) => {
  it('read and change single keys', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        use: ({ session }) => {
          session.set('theme', 'dark');
          session.set('count', 1);
          return {
            theme: session.get('theme'),
            missing: [session.has('cart'), session.get('cart') ?? 'none', session.remove('cart')],
            count: [session.has('count'), session.take('count'), session.take('count') ?? 'none'],
          };
        },
        remove: ({ session }) => [session.remove('theme'), session.remove('theme'), session.has('theme')],
      },
    });
    const visitor = browser();
    expect((await visitor.post('/do/use')).json()).toEqual({
      theme: 'dark',
      missing: [false, 'none', false],
      count: [true, 1, 'none'],
    });
    expect(await dataOf(visitor)).toEqual({ theme: 'dark' });
    expect((await visitor.post('/do/remove')).json()).toEqual([true, false, false]);
    expect(await dataOf(visitor)).toEqual({});
  });

  it.each(['toString', 'constructor', 'hasOwnProperty', '__proto__', 'valueOf'])(
    'do not take the inherited `%s` for data',
    async (name) => {
      const { browser } = await open({
        routes: {
          look: ({ session }) => ({
            has: session.has(name),
            got: typeof session.get(name),
            taken: typeof session.take(name),
            removed: session.remove(name),
          }),
        },
      });
      const reply = await browser().get('/do/look');
      expect(reply.json()).toEqual({ has: false, got: 'undefined', taken: 'undefined', removed: false });
    },
  );

  it('keep a key that is called as an inherited method', async () => {
    const name: string = 'toString';
    const { browser } = await open({
      routes: {
        ...BASICS,
        set: ({ session }) => session.set(name, 'mine'),
      },
    });
    const visitor = browser();
    await visitor.post('/do/set');
    expect(await dataOf(visitor)).toEqual({ toString: 'mine' });
  });

  it('refuse `__proto__` as a key, and leave every prototype alone', async () => {
    const { browser, storage } = await open({
      routes: { ...BASICS, pollute: ({ session }) => session.set('__proto__', { admin: true }) },
    });
    const visitor = browser();
    expect(refusal(await visitor.post('/do/pollute'))).toEqual({ status: 400, code: 'session_data_invalid' });
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    expect(storage.calls).toEqual([]);
  });
});
