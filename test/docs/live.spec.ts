import { SessionStore } from 'nest-sessions';
import { signIn } from 'nest-sessions/testing';
import type { Subject } from 'rxjs';
import { openPage, type PageApp } from './page-app.js';

let page: PageApp;

beforeEach(() => {
  page = openPage('docs/live.md', { goesOnWith: 'docs/sign-in.md' });
});
afterEach(() => page.close());

type Notices = Subject<{ userId: string; text: string }>;

/** The app of the page, and what is said of a stream so far. */
async function started(file: string, name: string) {
  const Feed = await page.recipe<Notices>('notifications.controller.ts', 'Notices');
  const controllers = [await page.recipe(file, name)];
  const running = await page.start({ controllers, providers: [Feed] });
  const notices = running.app.get(Feed);
  const { cookie, session } = await signIn(running.app, 'ada');
  const listen = async (path: string) => {
    const response = await fetch(`${running.url}${path}`, { headers: { cookie } });
    const { status, body } = response;
    return { status, whole: text(body), setCookies: response.headers.getSetCookie() };
  };
  return { ...running, notices, session, listen, store: running.app.get(SessionStore) };
}

async function text(body: ReadableStream<Uint8Array> | null): Promise<string> {
  return new Response(body).text();
}

describe('the event stream of the page', () => {
  it('tells a user what is theirs, ends with the session, and is refused when it connects again', async () => {
    const { notices, store, session, listen } = await started(
      'notifications.controller.ts',
      'NotificationsController',
    );
    const stream = await listen('/notifications');
    notices.next({ userId: 'bob', text: 'not for Ada' });
    notices.next({ userId: 'ada', text: 'a letter' });
    await store.delete(session.id);
    expect(await stream.whole).toContain('data: {"text":"a letter"}');
    expect(await stream.whole).not.toContain('not for Ada');
    const again = await listen('/notifications');
    expect([again.status, again.setCookies]).toEqual([401, []]);
  });

  it('counts what it has shown, beside what others change', async () => {
    const { notices, store, session, listen } = await started('visits.controller.ts', 'VisitsController');
    const stream = await listen('/visits');
    for (const one of ['one', 'two']) {
      notices.next({ userId: 'ada', text: one });
      let shown = 0;
      while (shown < (one === 'one' ? 1 : 2))
        shown = Number((await store.load(session.id))?.data['shown'] ?? 0);
    }
    await new Promise((resolve) => setImmediate(resolve));
    await store.destroyAll();
    expect(await stream.whole).toMatch(/"shown":1[^]*"shown":2/);
  });
});
