import { Controller, Get } from '@nestjs/common';
import { RequireAuth, SessionStore } from 'nest-sessions';
import { ManualClock, MemorySessionBackend, signIn } from 'nest-sessions/testing';
import { resolveOptions } from '../../../src/session.options.js';
import type { Browser, Reply } from '../../support/browser.js';
import { onEachPlatform, type OpenApp } from '../../support/open-app.js';
import type { Routes } from '../../support/routes.js';
import { BASICS, refusal, type Seen } from '../../support/session-routes.js';
import { rowsOf } from '../../support/storage.js';

@Controller('members')
class MembersController {
  @Get()
  @RequireAuth()
  all(): string {
    return 'members';
  }

  @Get('recent')
  @RequireAuth({ within: '10m' })
  recent(): string {
    return 'recent';
  }
}

const ROUTES: Routes = {
  ...BASICS,
  token: async ({ session, query }) => {
    const token = await session.authenticate(query['user'] ?? 'ada', { transport: 'bearer' });
    return {
      token: token.reveal(),
      printed: `${String(token)} ${JSON.stringify(token)}`,
      userId: session.userId,
    };
  },
  cookieIn: async ({ session }) => {
    const nothing: unknown = await session.authenticate('ada', { transport: 'cookie' });
    return { nothing: nothing === undefined };
  },
  bad: ({ session, query }) => session.authenticate('ada', { transport: query['transport'] as 'cookie' }),
  again: ({ session }) => session.reauthenticate(),
  rotate: ({ session }) => session.rotate(),
  goodbye: async ({ session }) => {
    await session.logout();
    session.flash('info', 'goodbye');
  },
  leave: async ({ session }) => {
    await session.logout();
    await session.authenticate('ada', { transport: 'bearer' });
  },
  switchUser: async ({ session }) => {
    await session.authenticate('bob');
    await session.authenticate('ada', { transport: 'bearer' });
  },
  giveUp: async ({ session }) => {
    await session.authenticate('ada', { transport: 'bearer' });
    await session.logout();
  },
  count: ({ session }) => session.update((data) => (data.count = (data.count ?? 0) + 1)),
};

/** A program without cookies: it sends what it was given. */
class Client {
  token = '';

  constructor(private readonly browser: Browser) {}

  async signIn(user = 'ada'): Promise<Reply> {
    const reply = await this.browser.post(`/do/token?user=${user}`);
    this.token = reply.json<{ token: string }>().token;
    return reply;
  }

  send(method: string, path: string, headers: Record<string, string> = {}): Promise<Reply> {
    const authorization = `Bearer ${this.token}`;
    return this.browser.send(method, path, { headers: { authorization, ...headers } });
  }

  async seen(): Promise<Seen> {
    return (await this.send('GET', '/do/see')).json<Seen>();
  }
}

async function openBearer(open: OpenApp, options: object = {}) {
  const app = await open({
    controllers: [MembersController],
    options: { transport: ['cookie', 'bearer'], ...options },
    routes: ROUTES,
  });
  return { ...app, client: new Client(app.browser()), newClient: () => new Client(app.browser()) };
}

const challengeOf = (reply: Reply) => [reply.status, reply.headers['www-authenticate']];

onEachPlatform('rule 14, bearer', (open) => {
  it('signs in: authenticate() resolves to the token, which prints as nothing, and no cookie is set', async () => {
    const { client } = await openBearer(open);
    const reply = await client.signIn();
    expect(reply.json()).toEqual({
      token: expect.stringMatching(/^[0-9A-Z]{26}[\w-]{93}$/) as string,
      printed: '[redacted] "[redacted]"',
      userId: 'ada',
    });
    expect(reply.setCookies).toEqual([]);
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(await client.seen()).toMatchObject({ userId: 'ada', isNew: false });
  });

  it('serves, changes and ends a session without a cookie ever', async () => {
    const { client, newClient, storage } = await openBearer(open);
    await client.signIn();
    const other = newClient();
    await other.signIn();
    const changed = await client.send('POST', '/do/count');
    expect([changed.status, changed.text, changed.setCookies]).toEqual([200, '1', []]);
    expect((await client.send('GET', '/do/list')).json<unknown[]>()).toHaveLength(2);
    const out = await client.send('POST', '/do/goodbye');
    expect([out.status, out.setCookies]).toEqual([200, []]);
    expect((await client.seen()).userId).toBeNull();
    expect(rowsOf(storage)).toHaveLength(1);
  });

  it('only authenticate() with that option resolves to a token', async () => {
    const { browser } = await openBearer(open);
    const reply = await browser().post('/do/cookieIn');
    expect(reply.json()).toEqual({ nothing: true });
    expect(reply.setCookies).toHaveLength(1);
  });

  it('and cookie tokens are not accepted as each other, and cost no look-up', async () => {
    const { client, browser, storage } = await openBearer(open);
    await client.signIn();
    const ada = browser();
    await ada.post('/do/in');
    const cookieToken = (await ada.cookie()) ?? '';
    storage.forget();
    const thief = browser();
    await thief.plant(client.token);
    expect((await thief.get('/do/see')).json<Seen>().userId).toBeNull();
    const asBearer = await browser().get('/do/see', { headers: { authorization: `Bearer ${cookieToken}` } });
    expect(asBearer.json<Seen>().userId).toBeNull();
    expect(storage.calls).toEqual([]);
  });

  it('stays bearer in storage: a token that the store issues later is one too', async () => {
    const { client, newClient, browser, store } = await openBearer(open);
    await client.signIn();
    await client.send('POST', '/do/count');
    const token = await store.rotateToken(client.token.slice(0, 26));
    expect(token.transport).toBe('bearer');
    const next = newClient();
    next.token = token.reveal();
    expect((await next.seen()).data).toEqual({ count: 1 });
    const cookies = browser();
    await cookies.plant(token.reveal());
    expect((await cookies.get('/do/see')).json<Seen>().userId).toBeNull();
    expect(await store.readByToken(token)).toBeNull();
    expect((await store.readByToken(token, 'bearer'))?.userId).toBe('ada');
  });

  it('with a cookie beside it is 400, without a look-up, whatever the two are worth', async () => {
    const { client, browser, storage } = await openBearer(open);
    await client.signIn();
    const ada = browser();
    await ada.post('/do/in');
    storage.forget();
    for (const token of [client.token, 'junk', '']) {
      const reply = await ada.get('/do/see', { headers: { authorization: `Bearer ${token}` } });
      expect(refusal(reply)).toEqual({ status: 400, code: 'two_tokens' });
      expect(challengeOf(reply)[1]).toBe('Bearer realm="session", error="invalid_request"');
    }
    const junk = await client.send('GET', '/do/see', { cookie: '__Host-sid=junk' });
    expect(refusal(junk)).toEqual({ status: 400, code: 'two_tokens' });
    expect(storage.calls).toEqual([]);
  });

  it('beside cookies of the app is fine', async () => {
    const { client } = await openBearer(open);
    await client.signIn();
    const reply = await client.send('GET', '/do/see', { cookie: 'theme=dark; sid=1' });
    expect(reply.json<Seen>().userId).toBe('ada');
  });

  it('is never read from the URL or the body', async () => {
    const { client, browser } = await openBearer(open);
    await client.signIn();
    const path = `/do/see?access_token=${client.token}&token=${client.token}`;
    const reply = await browser().post(path, { access_token: client.token });
    expect(reply.json<Seen>().userId).toBeNull();
  });

  it('is not rotated periodically', async () => {
    const { client, clock, storage } = await openBearer(open, { rotation: { every: '10m' } });
    await client.signIn();
    for (let i = 0; i < 3; i++) {
      clock.advance('11m');
      const reply = await client.send('GET', '/do/see');
      expect([reply.json<Seen>().userId, reply.setCookies]).toEqual(['ada', []]);
    }
    expect(storage.calls).not.toContain('changeToken');
  });

  it.each(['again', 'rotate'])('cannot be replaced by the response, so %s says what to do', async (path) => {
    const { client } = await openBearer(open);
    await client.signIn();
    const reply = await client.send('POST', `/do/${path}`);
    expect(refusal(reply)).toEqual({ status: 409, code: 'session_conflict' });
    expect(reply.headers['set-cookie']).toBeUndefined();
    expect((await client.seen()).userId).toBe('ada');
  });

  it('is replaced by signing in anew, which ends the old one and carries the data over', async () => {
    const { client, newClient, storage } = await openBearer(open);
    await client.signIn();
    await client.send('POST', '/do/count');
    const next = newClient();
    next.token = (await client.send('POST', '/do/token')).json<{ token: string }>().token;
    expect((await client.seen()).userId).toBeNull();
    expect((await next.seen()).data).toEqual({ count: 1 });
    expect(rowsOf(storage)).toHaveLength(1);
  });

  it('takes the place of a cookie that the client had, which is removed', async () => {
    const { browser, storage } = await openBearer(open);
    const app = browser();
    await app.post('/do/set', { theme: 'dark' });
    const reply = await app.post('/do/token');
    expect(reply.setCookies).toEqual([expect.stringMatching(/^__Host-sid=; Max-Age=0/)]);
    expect(await app.cookie()).toBeUndefined();
    expect(rowsOf(storage)).toHaveLength(1);
    const client = new Client(app);
    client.token = reply.json<{ token: string }>().token;
    expect((await client.seen()).data).toEqual({ theme: 'dark' });
  });

  it.each(['leave', 'switchUser', 'giveUp'])(
    'takes the place of the cookie also where the request did more than that (%s)',
    async (path) => {
      const { browser } = await openBearer(open);
      const app = browser();
      await app.post('/do/in');
      const reply = await app.post(`/do/${path}`);
      expect(reply.setCookies).toEqual([expect.stringMatching(/^__Host-sid=; Max-Age=0/)]);
    },
  );

  it('that leads to no session begins none: data is refused, since no cookie may be set', async () => {
    const { client, store, storage } = await openBearer(open);
    await client.signIn();
    await store.destroyAll();
    const reply = await client.send('POST', '/do/count');
    expect(refusal(reply)).toEqual({ status: 401, code: 'session_gone' });
    expect(challengeOf(reply)).toEqual([401, 'Bearer realm="session", error="invalid_token"']);
    expect(reply.setCookies).toEqual([]);
    expect(rowsOf(storage)).toEqual([]);
  });

  it('is exempt from the check of cross-site requests: no browser attaches it by itself', async () => {
    const { client, browser } = await openBearer(open);
    await client.signIn();
    const foreign = { 'sec-fetch-site': 'cross-site', origin: 'capacitor://localhost' };
    expect((await client.send('POST', '/do/count', foreign)).status).toBe(200);
    expect((await browser().post('/do/token', {}, foreign)).status).toBe(200);
    expect((await browser().post('/do/in', {}, foreign)).status).toBe(403);
  });

  it.each([
    ['in lower case', (token: string) => `bearer ${token}`],
    ['in capitals', (token: string) => `BEARER ${token}`],
    ['after several spaces', (token: string) => `Bearer   ${token} `],
  ])('may be written %s', async (_, write) => {
    const { client, browser } = await openBearer(open);
    await client.signIn();
    const reply = await browser().get('/do/see', { headers: { authorization: write(client.token) } });
    expect(reply.json<Seen>().userId).toBe('ada');
  });

  it('tells caches that responses depend on it', async () => {
    const { client, browser } = await openBearer(open);
    await client.signIn();
    const { headers } = await client.send('GET', '/plain');
    expect([headers['cache-control'], headers.vary]).toEqual(['no-store', 'Cookie, Authorization']);
    expect((await browser().get('/do/see')).headers.vary).toBe('Cookie, Authorization');
  });

  it('is 503 while storage is down', async () => {
    const { client, storage } = await openBearer(open);
    await client.signIn();
    storage.goDown();
    const reply = await client.send('GET', '/do/see');
    expect([reply.status, reply.headers['retry-after']]).toEqual([503, '5']);
  });
});

onEachPlatform('a 401 where bearer tokens are accepted', (open) => {
  it('names the scheme, and what is wrong with the token, as RFC 6750 and RFC 9470 have it', async () => {
    const { client, browser, clock } = await openBearer(open);
    expect(challengeOf(await browser().get('/members'))).toEqual([401, 'Bearer realm="session"']);
    expect(challengeOf(await client.send('GET', '/members'))).toEqual([
      401,
      'Bearer realm="session", error="invalid_token"',
    ]);
    await client.signIn();
    expect(challengeOf(await client.send('GET', '/members/recent'))).toEqual([200, undefined]);
    clock.advance('11m');
    expect(challengeOf(await client.send('GET', '/members/recent'))).toEqual([
      401,
      'Bearer realm="session", error="insufficient_user_authentication", max_age="600"',
    ]);
  });
});

onEachPlatform('without the option', (open) => {
  it('a bearer token is nothing: not read, not asked for, not given out', async () => {
    const { client, browser, app } = await openBearer(open, { transport: ['cookie'] });
    const { authorization } = await signIn(app, 'ada', { transport: 'bearer' });
    client.token = authorization.slice('Bearer '.length);
    expect(challengeOf(await client.send('GET', '/members'))).toEqual([401, undefined]);
    const ada = browser();
    await ada.post('/do/in');
    expect((await ada.get('/members', { headers: { authorization } })).status).toBe(200);
    expect(refusal(await browser().post('/do/token'))).toEqual({ status: 500, code: 'session_data_invalid' });
  });

  it('a transport that is none is refused', async () => {
    const { browser } = await openBearer(open);
    const reply = await browser().post('/do/bad?transport=url');
    expect(refusal(reply)).toEqual({ status: 400, code: 'session_data_invalid' });
  });
});

onEachPlatform('signIn() of the tests', (open) => {
  it('makes an Authorization header as well', async () => {
    const { app, client } = await openBearer(open);
    const { authorization, session } = await signIn(app, 'ada', {
      transport: 'bearer',
      data: { theme: 'dark' },
    });
    client.token = authorization.slice('Bearer '.length);
    expect(await client.seen()).toMatchObject({ id: session.id, userId: 'ada', data: { theme: 'dark' } });
  });
});

describe('a bearer token in plaintext mode', () => {
  it('is not a cookie token either', async () => {
    const store = new SessionStore(new MemorySessionBackend(), { plaintext: true });
    const { token } = await store.create({}, 'ada');
    expect(await store.readByToken(token.reveal(), 'bearer')).toBeNull();
    expect((await store.readByToken(token.reveal()))?.userId).toBe('ada');
  });
});

describe('the option `transport`', () => {
  it.each([[['bearer']], [[]], ['bearer'], [['cookie', 'url']], [null]])('refuses %j', (transport) => {
    const options = { plaintext: true, transport: transport as ['cookie'] };
    expect(() => resolveOptions(options, new ManualClock(0))).toThrow(
      "`transport`: expected ['cookie'] or ['cookie', 'bearer'], got",
    );
  });
});
