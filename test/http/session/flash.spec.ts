import { onEachPlatform } from '../../support/open-app.js';
import { BASICS, dataOf, refusal } from '../../support/session-routes.js';
import type { Routes } from '../../support/routes.js';
import { rowsOf } from '../../support/storage.js';

const routes: Routes = {
  ...BASICS,
  flash: ({ session, query }) => session.flash(query['kind'] ?? 'info', query['text'] ?? ''),
  flashes: ({ session }) => session.flashes(),
};

onEachPlatform('flash messages', (open) => {
  it('are read once, oldest first, in a later request', async () => {
    const { browser } = await open({ routes });
    const visitor = browser();
    await visitor.post('/do/flash?kind=info&text=first');
    await visitor.post('/do/flash?kind=error&text=second');
    expect((await visitor.get('/do/flashes')).json()).toEqual([
      { kind: 'info', text: 'first' },
      { kind: 'error', text: 'second' },
    ]);
    expect((await visitor.get('/do/flashes')).json()).toEqual([]);
  });

  it('stay while nobody reads them', async () => {
    const { browser } = await open({ routes });
    const visitor = browser();
    await visitor.post('/do/flash?text=kept');
    await visitor.get('/plain');
    await visitor.post('/do/set', { a: '1' });
    expect((await visitor.get('/do/flashes')).json()).toEqual([{ kind: 'info', text: 'kept' }]);
  });

  it('are read once also within the request that made them, which then stores nothing', async () => {
    const { browser, storage } = await open({
      routes: {
        both: ({ session }) => {
          session.flash('info', 'now');
          return [session.flashes(), session.flashes()];
        },
      },
    });
    const reply = await browser().post('/do/both');
    expect(reply.json()).toEqual([[{ kind: 'info', text: 'now' }], []]);
    expect(reply.setCookies).toEqual([]);
    expect(rowsOf(storage)).toEqual([]);
  });

  it('read within one request are not read again after `save()`', async () => {
    const { browser } = await open({
      routes: {
        ...routes,
        saved: async ({ session }) => {
          session.flash('info', 'saved');
          await session.save();
          return session.flashes();
        },
      },
    });
    const visitor = browser();
    expect((await visitor.post('/do/saved')).json()).toEqual([{ kind: 'info', text: 'saved' }]);
    expect((await visitor.get('/do/flashes')).json()).toEqual([]);
  });

  it('of an anonymous visitor are kept over the sign-in, also one of the same request', async () => {
    const { browser } = await open({
      routes: {
        ...routes,
        welcome: async ({ session }) => {
          session.flash('info', 'before');
          await session.authenticate('ada');
          session.flash('info', 'after');
        },
      },
    });
    const ada = browser();
    await ada.post('/do/flash?text=anonymous');
    await ada.post('/do/welcome');
    expect((await ada.get('/do/flashes')).json<{ text: string }[]>().map(({ text }) => text)).toEqual([
      'anonymous',
      'before',
      'after',
    ]);
  });

  it('of another user are not shown to the one who signs in', async () => {
    const { browser } = await open({ routes });
    const shared = browser();
    await shared.post('/do/in?user=ada');
    await shared.post('/do/flash?text=private');
    await shared.post('/do/in?user=bob');
    expect((await shared.get('/do/flashes')).json()).toEqual([]);
  });

  it('are no part of `data`: neither seen there, nor removed with it', async () => {
    const { browser } = await open({
      routes: { ...routes, clear: ({ session }) => session.clear() },
    });
    const visitor = browser();
    await visitor.post('/do/set', { a: '1' });
    await visitor.post('/do/flash?text=kept');
    expect(await dataOf(visitor)).toEqual({ a: '1' });
    await visitor.post('/do/clear');
    expect(await dataOf(visitor)).toEqual({});
    expect((await visitor.get('/do/flashes')).json()).toEqual([{ kind: 'info', text: 'kept' }]);
  });

  it('that parallel requests add are all kept', async () => {
    const { browser } = await open({ routes });
    const ada = browser();
    await ada.post('/do/in');
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map((text) => ada.post(`/do/flash?text=${text}`)));
    const texts = (await ada.get('/do/flashes')).json<{ text: string }[]>().map(({ text }) => text);
    expect(texts.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('end with the logout', async () => {
    const { browser } = await open({ routes });
    const ada = browser();
    await ada.post('/do/in');
    await ada.post('/do/flash?text=gone');
    await ada.post('/do/out');
    expect((await ada.get('/do/flashes')).json()).toEqual([]);
  });

  it('that are no strings are refused', async () => {
    const { browser, storage } = await open({
      routes: { odd: ({ session }) => session.flash('info', { html: 1 } as unknown as string) },
    });
    const reply = await browser().post('/do/odd');
    expect(refusal(reply)).toEqual({ status: 400, code: 'session_data_invalid' });
    expect(rowsOf(storage)).toEqual([]);
  });
});
