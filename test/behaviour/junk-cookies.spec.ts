import { SessionStore } from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import { onEachPlatform, type OpenApp } from '../support/open-app.js';
import { sendRaw, withCookieHeader } from '../support/raw-request.js';
import { BASICS, userOf } from '../support/session-routes.js';
import { rowsOf } from '../support/storage.js';

const NAME = '__Host-sid';

/** Cookie headers by what is wrong with them, given a token that is good and one signed with another key. */
const JUNK: readonly [string, (genuine: string, foreign: string) => string | Buffer][] = [
  ['empty', () => `${NAME}=`],
  ['no value', () => NAME],
  ['only separators', () => `;;${NAME};=;${NAME}==;`],
  ['duplicated junk', () => Array.from({ length: 500 }, (_, n) => `${NAME}=junk${n}`).join('; ')],
  ['truncated', (genuine) => `${NAME}=${genuine.slice(0, -1)}`],
  ['too long', (genuine) => `${NAME}=${genuine}A`],
  ['of the right length', (genuine) => `${NAME}=${'A'.repeat(genuine.length)}`],
  ['with another secret', (genuine) => `${NAME}=${genuine.slice(0, 30)}${'B'.repeat(genuine.length - 30)}`],
  ['with a flipped last character', (genuine) => `${NAME}=${flip(genuine)}`],
  ['signed with another key', (_, foreign) => `${NAME}=${foreign}`],
  ['signed as another session', (genuine, foreign) => `${NAME}=${genuine.slice(0, 26)}${foreign.slice(26)}`],
  ['quotes inside', (genuine) => `${NAME}=${genuine.slice(0, 40)}"${genuine.slice(41)}`],
  ['a lone quote', () => `${NAME}="`],
  ['per cent signs', () => `${NAME}=%E0%A4%A`],
  ['json', () => `${NAME}={"__proto__":{"admin":true}}`],
  ['unicode', () => Buffer.from(`${NAME}=päss-wörd-🍪`)],
  ['bytes that are no text', () => Buffer.concat([Buffer.from(`${NAME}=`), Buffer.from([0xff, 0xfe, 0x80])])],
  ['NULs', () => Buffer.concat([Buffer.from(`${NAME}=`), Buffer.alloc(50)])],
  ['10 kB', () => `${NAME}=${'x'.repeat(10_000)}`],
  ['100 kB', () => `${NAME}=${'x'.repeat(100_000)}`],
  ['another name', (genuine) => `sid=${genuine}; __host-sid=${genuine}; x${NAME}=${genuine}`],
];

function flip(token: string): string {
  // The last character of the signature has two bits that count for nothing: change the one before.
  return `${token.slice(0, -2)}${token.at(-2) === 'A' ? 'B' : 'A'}${token.at(-1)}`;
}

async function openWithTokens(open: OpenApp) {
  const app = await open({ routes: BASICS });
  const ada = app.browser();
  await ada.post('/do/in');
  const other = new SessionStore(new MemorySessionBackend(), { key: Buffer.alloc(32, 'of somebody else') });
  const { token } = await other.create({}, 'ada');
  app.storage.forget();
  return { ...app, ada, genuine: (await ada.cookie()) ?? '', foreign: token.reveal() };
}

onEachPlatform('rule 6, a token that no key confirms', (open) => {
  it.each(JUNK)('is anonymous, costs no call to storage, and is left alone: %s', async (_, junk) => {
    const { port, genuine, foreign, storage, store } = await openWithTokens(open);
    const header = junk(genuine, foreign);
    const reply = await sendRaw(port, withCookieHeader('/do/see', Buffer.from(header)));
    // Node itself refuses a header that is too large, or holds a NUL, before anybody sees it.
    expect([200, 400, 431, 0]).toContain(reply.status);
    if (reply.status === 200) {
      expect(reply.text).toContain('"userId":null');
      expect(reply.text.toLowerCase()).not.toContain('set-cookie');
    }
    expect(storage.calls).toEqual([]);
    expect(await store.read(genuine.slice(0, 26))).not.toBeNull();
  });

  it('is never a server error when the same junk comes with a request that writes', async () => {
    const { port, genuine, foreign, storage } = await openWithTokens(open);
    for (const [, junk] of JUNK) {
      const header = Buffer.from(junk(genuine, foreign));
      const reply = await sendRaw(port, withCookieHeader('/do/in?user=eve', header));
      expect(reply.status).toBeLessThan(500);
    }
    // Rule 10: each sign-in got a session of its own, none took over an id that the client had made up.
    const ids = new Set(rowsOf(storage).map(({ id }) => id));
    expect(ids.has(foreign.slice(0, 26))).toBe(false);
  });

  it('is counted', async () => {
    const { port, foreign, store } = await openWithTokens(open);
    const before = store.parts.issuer.refused;
    await sendRaw(port, withCookieHeader('/do/see', Buffer.from(`${NAME}=junk; ${NAME}=${foreign}`)));
    expect(store.parts.issuer.refused).toBe(before + 2);
  });

  it('does not hide a genuine one behind it', async () => {
    const { port, genuine, storage } = await openWithTokens(open);
    const header = `theme=dark; ${NAME}=junk; ${NAME}=${genuine}`;
    const reply = await sendRaw(port, withCookieHeader('/do/see', Buffer.from(header)));
    expect(reply.text).toContain('"userId":"ada"');
    expect(storage.calls).toEqual(['find']);
  });

  it('may be quoted when it is genuine, as RFC 6265 has it', async () => {
    const { port, genuine } = await openWithTokens(open);
    const reply = await sendRaw(port, withCookieHeader('/do/see', Buffer.from(`${NAME}="${genuine}"`)));
    expect(reply.text).toContain('"userId":"ada"');
  });

  it('never shows in a log, whatever becomes of it', async () => {
    const { ada, genuine, storage, log } = await openWithTokens(open);
    storage.goDown();
    await ada.post('/do/set', { theme: 'dark' });
    storage.recover();
    await ada.post('/do/set', { theme: 'dark' });
    expect(JSON.stringify(log.lines)).not.toContain(genuine.slice(26));
    expect(await userOf(ada)).toBe('ada');
  });
});

onEachPlatform('rule 10, ids are strict', (open) => {
  it('never adopts a token that was not issued: what is stored gets an id and a token of its own', async () => {
    const { browser, storage, genuine, foreign } = await openWithTokens(open);
    const visitor = browser();
    for (const planted of [foreign, flip(genuine), 'made-up']) {
      await visitor.plant(planted);
      const reply = await visitor.post('/do/set', { theme: 'dark' });
      expect(reply.setCookies).toHaveLength(1);
      expect(await visitor.cookie()).not.toBe(planted);
    }
    expect(rowsOf(storage).filter(({ userId }) => userId === null)).toHaveLength(3);
  });

  it('does not serve the token of a session that is gone, and makes a new one of what is stored next', async () => {
    const { ada, genuine, store, storage } = await openWithTokens(open);
    await store.destroyAll();
    expect(await userOf(ada)).toBeNull();
    await ada.post('/do/set', { theme: 'dark' });
    expect(rowsOf(storage).map(({ id }) => id)).not.toContain(genuine.slice(0, 26));
    expect(await ada.cookie()).not.toBe(genuine);
  });

  it('gives nothing to whoever planted the token with which a victim signed in', async () => {
    const { browser } = await openWithTokens(open);
    const mallory = browser();
    await mallory.post('/do/set', { theme: 'dark' });
    const victim = await mallory.copy();
    await victim.post('/do/in?user=victim');
    expect(await userOf(victim)).toBe('victim');
    expect(await userOf(mallory)).toBeNull();
    expect(await mallory.cookie()).not.toBe(await victim.cookie());
  });
});
