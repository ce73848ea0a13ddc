import { Controller, Get } from '@nestjs/common';
import { SkipSession } from 'nest-sessions';
import { onEachPlatform, type OpenApp } from '../support/open-app.js';
import { BASICS, dataOf, refusal, userOf } from '../support/session-routes.js';
import { OUTAGE, rowsOf } from '../support/storage.js';

@Controller('status')
class StatusController {
  @Get()
  @SkipSession()
  status(): string {
    return 'up';
  }
}

async function openSignedIn(open: OpenApp, timeout?: string) {
  const app = await open({
    controllers: [StatusController],
    routes: BASICS,
    options: { timeout, rotation: { every: '1h' } },
  });
  const ada = app.browser();
  await ada.post('/do/in');
  await ada.post('/do/set', { theme: 'dark' });
  return { ...app, ada };
}

onEachPlatform('rule 9, storage that is unreachable', (open) => {
  it('is a 503 with Retry-After for whoever brings a genuine token, and the cookie stays', async () => {
    const { ada, storage } = await openSignedIn(open);
    const cookie = await ada.cookie();
    storage.goDown();
    for (const path of ['/do/see', '/plain', '/raw/see']) {
      const reply = await ada.get(path);
      expect(refusal(reply)).toEqual({ status: 503, code: 'session_store_unavailable' });
      expect([reply.headers['retry-after'], reply.setCookies]).toEqual(['5', []]);
    }
    expect(await ada.cookie()).toBe(cookie);
  });

  it('says nothing of its insides to the client, and all of it to the log, once', async () => {
    const { ada, storage, log } = await openSignedIn(open);
    storage.goDown();
    for (let n = 0; n < 5; n++)
      expect((await ada.get('/do/see')).text).not.toMatch(/db-7|5432|ECONNREFUSED|rw/);
    expect(log.sessionErrors).toEqual([expect.stringContaining(OUTAGE)]);
  });

  it('serves requests without a cookie, with junk in it, and @SkipSession() routes', async () => {
    const { ada, browser, storage } = await openSignedIn(open);
    storage.goDown();
    const visitor = browser();
    expect((await visitor.get('/do/see')).json()).toMatchObject({ userId: null });
    await visitor.plant('junk');
    expect((await visitor.get('/do/see')).status).toBe(200);
    expect((await ada.get('/status')).text).toBe('up');
  });

  it('is a 503 for a visitor who wants something stored', async () => {
    const { browser, storage } = await openSignedIn(open);
    storage.goDown();
    const reply = await browser().post('/do/set', { theme: 'dark' });
    expect(refusal(reply)).toEqual({ status: 503, code: 'session_store_unavailable' });
    expect([reply.headers['retry-after'], reply.setCookies]).toEqual(['5', []]);
  });

  it('is recovered from without a restart', async () => {
    const { ada, storage, log } = await openSignedIn(open);
    storage.goDown();
    await ada.get('/do/see');
    storage.recover();
    expect(await userOf(ada)).toBe('ada');
    expect(await dataOf(ada)).toEqual({ theme: 'dark' });
    await ada.post('/do/set', { theme: 'light' });
    expect(await dataOf(ada)).toEqual({ theme: 'light' });
    expect(log.sessionWarnings.filter((line) => line.includes('works again'))).toHaveLength(1);
  });

  it('that never answers is a 503 after `timeout`', async () => {
    const { ada, storage } = await openSignedIn(open, '2s');
    const held = storage.hold('find');
    expect(refusal(await ada.get('/do/see'))).toEqual({ status: 503, code: 'session_store_unavailable' });
    held.release();
    expect(await userOf(ada)).toBe('ada');
  });

  it.each(['out', 'list'])('fails closed: /do/%s is a 503, and nobody is signed out by it', async (route) => {
    const { ada, storage } = await openSignedIn(open);
    storage.fail('delete', 'list');
    const reply = await ada.post(`/do/${route}`);
    expect([reply.status, reply.headers['retry-after'], reply.setCookies]).toEqual([503, '5', []]);
    storage.recover();
    expect(await userOf(ada)).toBe('ada');
  });

  it('keeps the presented token in force when only the rotation fails', async () => {
    const { ada, storage, clock, log } = await openSignedIn(open);
    const cookie = await ada.cookie();
    clock.advance('1h');
    storage.fail('changeToken');
    const reply = await ada.get('/do/see');
    expect([reply.status, reply.setCookies]).toEqual([200, []]);
    expect(log.sessionWarnings.join()).toContain('was not rotated');
    storage.recover();
    expect((await ada.get('/do/see')).setCookies).toHaveLength(1);
    expect(await ada.cookie()).not.toBe(cookie);
  });

  it('fails closed where the first use of a rotated token cannot be written', async () => {
    const { ada, storage, clock } = await openSignedIn(open);
    clock.advance('1h');
    await ada.get('/do/see');
    storage.fail('changeToken');
    expect(refusal(await ada.get('/do/see'))).toEqual({ status: 503, code: 'session_store_unavailable' });
    storage.recover();
    expect(await userOf(ada)).toBe('ada');
    expect(rowsOf(storage)).toHaveLength(1);
  });
});
