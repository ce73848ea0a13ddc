import { onEachPlatform } from '../../support/open-app.js';
import { BASICS, dataOf, refusal } from '../../support/session-routes.js';
import { rowsOf } from '../../support/storage.js';

onEachPlatform('save', (open) => {
  it('makes what has changed durable before it resolves', async () => {
    const { browser, store, storage } = await open({
      routes: {
        ...BASICS,
        save: async ({ session }) => {
          session.data['a'] = '1';
          await session.save();
          const stored = (await store.load(session.id ?? ''))?.data;
          session.data['b'] = '2';
          return { stored };
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    storage.forget();
    expect((await ada.post('/do/save')).json()).toEqual({ stored: { a: '1' } });
    expect(await dataOf(ada)).toEqual({ a: '1', b: '2' });
    expect(storage.calls.filter((call) => call === 'save')).toHaveLength(2);
  });

  it('writes nothing when nothing has changed, and stores no empty session', async () => {
    const { browser, storage } = await open({
      routes: { ...BASICS, save: ({ session }) => session.save() },
    });
    const [ada, visitor] = [browser(), browser()];
    await ada.post('/do/in');
    storage.forget();
    await ada.post('/do/save');
    expect(storage.calls).toEqual(['find']);
    expect((await visitor.post('/do/save')).setCookies).toEqual([]);
    expect(rowsOf(storage)).toHaveLength(1);
  });

  it('keeps references into `data` good', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        save: async ({ session }) => {
          const cart = (session.data.cart ??= []);
          cart.push('tea');
          await session.save();
          cart.push('issuer');
        },
      },
    });
    const visitor = browser();
    await visitor.post('/do/save');
    expect(await dataOf(visitor)).toEqual({ cart: ['tea', 'issuer'] });
  });

  it('brings in what others have stored, beside what this request changed', async () => {
    const { browser, store } = await open({
      routes: {
        ...BASICS,
        save: async ({ session }) => {
          const before = { ...session.data };
          session.data['mine'] = '1';
          const row = await store.load(session.id ?? '');
          await store.flush(session.id ?? '', { ...row?.data, theirs: '2' }, 0, 0);
          await session.save();
          return { before, after: session.data };
        },
      },
    });
    const ada = browser();
    await ada.post('/do/set', { a: '1' });
    expect((await ada.post('/do/save')).json()).toEqual({
      before: { a: '1' },
      after: { a: '1', mine: '1', theirs: '2' },
    });
  });

  it('is a SessionGoneError, 401, when the session has ended, and revives nothing', async () => {
    const { browser, store } = await open({
      routes: {
        ...BASICS,
        save: async ({ session }) => {
          await store.delete(session.id ?? '');
          session.data['late'] = true;
          await session.save();
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    const reply = await ada.post('/do/save');
    expect(refusal(reply)).toEqual({ status: 401, code: 'session_gone' });
    expect(reply.setCookies).toEqual([]);
    expect(await store.destroyAll()).toBe(0);
  });

  it('that fails while storage is down can be caught, and tried again later in the request', async () => {
    const { browser, storage } = await open({
      routes: {
        ...BASICS,
        save: async ({ session }) => {
          session.data['a'] = '1';
          storage.fail('save');
          const failed = await session.save().catch((error: { code?: string }) => error.code);
          storage.recover();
          await session.save();
          return { failed };
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    expect((await ada.post('/do/save')).json()).toEqual({ failed: 'session_store_unavailable' });
    expect(await dataOf(ada)).toEqual({ a: '1' });
  });
});
