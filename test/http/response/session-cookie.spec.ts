import type { CookieOptions } from 'nest-sessions';
import { SessionCookie } from '../../../src/http/response/session-cookie.js';
import { TokenIssuer } from '../../../src/core/session-token.js';
import { KeyRing } from '../../../src/core/key-ring.js';
import { Browser } from '../../support/browser.js';
import { KEY, onEachPlatform, type OpenApp } from '../../support/open-app.js';
import { sendRaw } from '../../support/raw-request.js';
import type { Routes } from '../../support/routes.js';
import { BASICS, type Seen, userOf } from '../../support/session-routes.js';
import { rowsOf } from '../../support/storage.js';

const NAME = '__Host-sid';

async function openWithToken(open: OpenApp) {
  const app = await open({ routes: BASICS });
  const ada = app.browser();
  await ada.post('/do/in');
  const token = (await ada.cookie()) ?? '';
  app.storage.forget();
  /** Who the app takes the sender of these Cookie headers for. */
  const userWith = async (...headers: readonly (string | Buffer)[]): Promise<string | null> => {
    const lines = headers.map((value) =>
      Buffer.concat([Buffer.from('Cookie: '), Buffer.from(value), Buffer.from('\r\n')]),
    );
    const start = Buffer.from('GET /do/see HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n');
    const { status, text } = await sendRaw(app.port, Buffer.concat([start, ...lines, Buffer.from('\r\n')]));
    expect(status).toBe(200);
    return /"userId":(?:null|"(\w+)")/.exec(text)?.[1] ?? null;
  };
  return { ...app, ada, token, userWith };
}

onEachPlatform('cookies of our name', (open) => {
  it('are all checked: however much junk was tossed in front of a genuine one, that is found', async () => {
    const { token, userWith, storage } = await openWithToken(open);
    const forged = (n: number) => `${token.slice(0, -8)}${String(n).padStart(8, 'A')}`;
    for (const count of [1, 3, 4, 50]) {
      const junk = Array.from({ length: count }, (_, n) => `${NAME}=junk${n}; ${NAME}=${forged(n)}`).join(
        '; ',
      );
      storage.forget();
      expect(await userWith(`${junk}; ${NAME}=${token}`)).toBe('ada');
      expect(await userWith(junk, `${NAME}=${token}`)).toBe('ada');
      expect(storage.calls).toEqual(['find', 'find']);
      expect(await userWith(junk)).toBeNull();
      expect(storage.calls).toEqual(['find', 'find']);
    }
  });

  it('cost three look-ups at most, of tokens that were issued and lead nowhere', async () => {
    const { token, userWith, store, storage } = await openWithToken(open);
    const ended = async () => {
      const { token: given } = await store.create({}, 'grace');
      return `${NAME}=${given.reveal()}`;
    };
    const [first, second, third, fourth] = [await ended(), await ended(), await ended(), await ended()];
    await store.destroyAllForUser('grace');
    const looked = async (...cookies: readonly string[]) => {
      storage.forget();
      const user = await userWith([...cookies, `${NAME}=${token}`].join('; '));
      return [user, storage.calls.length];
    };
    expect(await looked(first)).toEqual(['ada', 2]);
    expect(await looked(first, second)).toEqual(['ada', 3]);
    expect(await looked(...Array.from({ length: 50 }, () => `${first}; ${NAME}=junk; ${second}`))).toEqual([
      'ada',
      3,
    ]);
    expect(await looked(first, second, third)).toEqual([null, 3]);
    expect(await looked(first, second, third, fourth)).toEqual([null, 3]);
  });

  it('are found behind those that a sibling host tosses, where there is no `__Host-` prefix', async () => {
    const { browser, port, storage } = await open({
      options: { key: KEY, cookie: { secure: false } },
      routes: BASICS,
    });
    const ada = browser();
    await ada.post('/do/in');
    storage.forget();
    const cookie = ['a', 'b', 'c', await ada.cookie('sid')].map((value) => `sid=${value}`).join('; ');
    const reply = await new Browser(port).get('/do/see', { headers: { cookie } });
    expect(reply.json<Seen>().userId).toBe('ada');
    expect(storage.calls).toEqual(['find']);
  });

  it('are each answered for: what a later one meets is told with the address of the client', async () => {
    const { token, userWith, store, ada, clock, events } = await openWithToken(open);
    await store.destroyAll();
    await ada.post('/do/in');
    const expired = (await ada.cookie()) ?? '';
    clock.advance('24h');
    expect(await userWith(`${NAME}=${token}; ${NAME}=${expired}`)).toBeNull();
    expect(events.filter(({ name }) => name === 'expired')).toEqual([
      expect.objectContaining({ userId: 'ada', ip: '127.0.0.1' }),
    ]);
  });

  it('may be spread over several Cookie headers', async () => {
    const { token, userWith } = await openWithToken(open);
    expect(await userWith('theme=dark', `${NAME}=${token}`)).toBe('ada');
    expect(await userWith(`${NAME}=junk`, 'theme=dark', `${NAME}=${token}; lang=en`)).toBe('ada');
  });

  it('may stand between $Version, $Path and $Domain, be quoted, and have spaces and tabs around them', async () => {
    const { token, userWith } = await openWithToken(open);
    expect(await userWith(`$Version=1; ${NAME}=${token}; $Path=/; $Domain=app.test`)).toBe('ada');
    expect(await userWith(`$Version="1"; ${NAME}="${token}"; $Path="/"`)).toBe('ada');
    expect(await userWith(`a=1;  \t ${NAME} = ${token} \t ;b=2`)).toBe('ada');
    expect(await userWith(`${NAME}=${token};`)).toBe('ada');
  });

  it.each([
    ['a no-break space in front', (token: string) => `\u00a0${NAME}=${token}`],
    ['an en quad in front', (token: string) => `\u2000${NAME}=${token}`],
    ['an ideographic space in front', (token: string) => `\u3000${NAME}=${token}`],
    ['a byte order mark in front', (token: string) => `\ufeff${NAME}=${token}`],
    ['a no-break space behind', (token: string) => `${NAME}\u00a0=${token}`],
    [
      'a no-break space in front, as one byte',
      (token: string) => Buffer.from(`\u00a0${NAME}=${token}`, 'latin1'),
    ],
    ['other capitals', (token: string) => `__HOST-sid=${token}`],
    ['per cent signs', (token: string) => `%5F_Host-sid=${token}`],
    ['no prefix', (token: string) => `sid=${token}`],
    ['another prefix', (token: string) => `__Secure-sid=${token}`],
    ['another cookie around it', (token: string) => `x=${NAME}=${token}`],
  ])('are none with %s: a sibling host could have set that', async (_, write) => {
    const { token, userWith, storage } = await openWithToken(open);
    expect(await userWith(write(token))).toBeNull();
    expect(storage.calls).toEqual([]);
  });

  it('are found in a header of nearly 16 KiB, and cost no time in one of separators and spaces alone', async () => {
    const { token, userWith } = await openWithToken(open);
    const filler = Array.from({ length: 150 }, (_, n) => `c${n}=${'x'.repeat(90)}`).join('; ');
    expect(await userWith(`${filler}; ${NAME}=${token}`)).toBe('ada');
    const started = performance.now();
    expect(await userWith(`${NAME}=${' '.repeat(15_000)}x`)).toBeNull();
    expect(await userWith(`${';'.repeat(15_000)}${NAME}`)).toBeNull();
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('are refused by the server itself in a larger one', async () => {
    const { port } = await openWithToken(open);
    const header = `Cookie: ${NAME}=${'x'.repeat(20_000)}`;
    const bytes = Buffer.from(`GET /do/see HTTP/1.1\r\nHost: app.test\r\n${header}\r\n\r\n`);
    expect([431, 0]).toContain((await sendRaw(port, bytes)).status);
  });
});

const KEEPS: Routes = {
  ...BASICS,
  raw: async ({ session }, response) => {
    response.setHeader('Set-Cookie', ['theme=dark', 'lang=en; Path=/']);
    await session.authenticate('ada');
    response.end('in');
  },
  head: async ({ session }, response) => {
    await session.authenticate('ada');
    response.writeHead(200, { 'set-cookie': ['theme=dark', 'lang=en'] }).end('in');
  },
  pairs: async ({ session }, response) => {
    await session.authenticate('ada');
    response.writeHead(200, ['Set-Cookie', 'theme=dark', 'Set-Cookie', 'lang=en']).end('in');
  },
  platform: async ({ session }, _, reply) => {
    await session.authenticate('ada');
    reply.header('Set-Cookie', 'theme=dark');
    return 'in';
  },
};

onEachPlatform("the app's own cookies", (open) => {
  it.each([
    ['/raw/raw', ['theme=dark', 'lang=en; Path=/']],
    ['/raw/head', ['theme=dark', 'lang=en']],
    ['/raw/pairs', ['theme=dark', 'lang=en']],
    ['/do/platform', ['theme=dark']],
  ])('go out beside ours, by %s', async (path, own) => {
    const { browser } = await open({ routes: KEEPS });
    const { setCookies } = await browser().get(path);
    expect(setCookies).toEqual([...own, expect.stringMatching(/^__Host-sid=/)]);
  });
});

const SHAPES: readonly CookieOptions[] = [
  {},
  { secure: false },
  { domain: 'example.com', path: '/shop', sameSite: 'strict' },
  { sameSite: 'none', partitioned: true },
  { path: '/shop', sameSite: 'none', partitioned: true, persistent: false, name: 'cart' },
];
const attributesOf = (cookie: string): string[] =>
  cookie.split('; ').filter((part, index) => index > 0 && !/^(?:Max-Age|Expires)=/.test(part));

onEachPlatform('the cookie that removes ours', (open) => {
  it.each(SHAPES)('has its name and attributes: %j', async (cookie) => {
    const { port } = await open({ options: { cookie }, routes: BASICS });
    const client = new Browser(port, 'www.example.com');
    const [issued = ''] = (await client.post('/do/in')).setCookies;
    const [pair = ''] = issued.split(';');
    const headers = { cookie: pair };
    const [removed = ''] = (await client.post('/do/out', undefined, headers)).setCookies;
    expect(removed.split('=')[0]).toBe(issued.split('=')[0]);
    expect(attributesOf(removed)).toEqual(attributesOf(issued));
    expect(removed).toContain('Max-Age=0');
  });
});

onEachPlatform('how long the cookie lives', (open) => {
  it('is until the absolute expiry, or for the browser session, as asked', async () => {
    const routes: Routes = {
      ...BASICS,
      remember: ({ session }) => session.authenticate('ada', { remember: true }),
      forget: ({ session }) => session.authenticate('ada', { remember: false }),
    };
    const { browser } = await open({ options: { absoluteTtl: '7d' }, routes });
    const maxAge = async (path: string) =>
      /Max-Age=(\d+)/.exec((await browser().post(path)).setCookies.join())?.[1];
    expect(await maxAge('/do/in')).toBe(String(7 * 86_400));
    expect(await maxAge('/do/remember')).toBe(String(30 * 86_400));
    expect(await maxAge('/do/forget')).toBeUndefined();
    const strict = await open({ options: { cookie: { persistent: false } }, routes });
    expect((await strict.browser().post('/do/in')).setCookies.join()).not.toContain('Max-Age');
  });
});

describe('the longest cookie that the options allow', () => {
  it('is below 4096 bytes, which every browser takes', () => {
    const label = 'a'.repeat(63);
    const cookie = new SessionCookie({
      name: 'n'.repeat(64),
      path: `/${'p'.repeat(1023)}`,
      domain: [label, label, label, 'b'.repeat(61)].join('.'),
      sameSite: 'none',
      partitioned: true,
    });
    const token = new TokenIssuer(KeyRing.plaintext()).issue('01J00000000000000000000000', {
      generation: 0,
      kin: undefined,
    });
    const row = { persistent: true, absoluteExpiresAt: Number.MAX_SAFE_INTEGER };
    expect(cookie.issue(token, row, 0).length).toBeLessThan(4096);
    expect(cookie.remove().length).toBeLessThan(4096);
    expect(() => new SessionCookie({ path: `/${'p'.repeat(1024)}` })).toThrow(/at most 1024 characters/);
  });
});

/** Sets a cookie with such headers, twice; what is logged about it. */
async function warnings(
  open: OpenApp,
  headers: Record<string, string>,
  { cookie, trust = false }: { cookie?: CookieOptions; trust?: boolean } = {},
): Promise<string[]> {
  const app = await open({
    options: cookie === undefined ? {} : { cookie },
    routes: BASICS,
    trustProxy: trust,
  });
  await app.browser().post('/do/in', undefined, headers);
  await app.browser().post('/do/in', undefined, headers);
  expect(rowsOf(app.storage)).toHaveLength(2);
  return app.log.sessionWarnings;
}

onEachPlatform('a Secure cookie on a plain-http request', (open) => {
  it.each([
    ['X-Forwarded-Proto', { 'x-forwarded-proto': 'https' }],
    ['X-Forwarded-Proto of several proxies', { 'x-forwarded-proto': 'https, http' }],
    ['Forwarded', { forwarded: 'for=192.0.2.1;proto=https;host=app.test' }],
  ])('behind a proxy that is not trusted is warned of once: %s', async (_, headers) => {
    expect(await warnings(open, headers)).toEqual([expect.stringContaining("app.set('trust proxy'")]);
  });

  it.each([
    ['a proxy that was reached over http', { 'x-forwarded-proto': 'http', 'x-forwarded-for': '192.0.2.1' }],
    ['a proxy that does not say how', { via: '1.1 proxy' }],
    ['a page over http', { origin: 'http://app.test' }],
  ])('that the browser will drop is warned of once: %s', async (_, headers) => {
    expect(await warnings(open, headers)).toEqual([expect.stringContaining('browsers do not keep it')]);
  });

  it.each([
    ['no sign of a proxy', {}],
    ['localhost', { host: 'localhost:3000', origin: 'http://localhost:3000' }],
    ['a name below localhost', { host: 'shop.localhost', origin: 'http://shop.localhost' }],
    ['127.0.0.1', { host: '127.0.0.1:3000', origin: 'http://127.0.0.1:3000' }],
    ['::1', { host: '[::1]:3000', origin: 'http://[::1]:3000' }],
  ])('is not warned of with %s', async (_, headers) => {
    expect(await warnings(open, headers)).toEqual([]);
  });

  it('is not warned of when it is not Secure', async () => {
    const headers = { 'x-forwarded-proto': 'https' };
    expect(await warnings(open, headers, { cookie: { secure: false } })).toEqual([]);
  });

  it('is not warned of behind a proxy that is trusted', async () => {
    expect(await warnings(open, { 'x-forwarded-proto': 'https' }, { trust: true })).toEqual([]);
  });

  it('is served all the same', async () => {
    const { browser } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/in', undefined, { 'x-forwarded-proto': 'https' });
    expect(await userOf(ada)).toBe('ada');
  });
});
