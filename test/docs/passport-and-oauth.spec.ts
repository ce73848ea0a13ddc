import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Controller, Get, type INestApplication, Logger } from '@nestjs/common';
import { RequireAuth, SessionStore, UserId } from 'nest-sessions';
import request from 'supertest';
import type { Snippet } from './document.js';
import { CLIENT, type OidcProvider, openOidcProvider } from './oidc-provider.js';
import { cookieLineOf, cookieOf, hashCheaply, openPage, type PageApp, type Running } from './page-app.js';
import { startMain } from './run.js';

const ADA = { email: 'ada@example.com', password: 'correct horse battery' };
const PAGE = 'docs/passport-and-oauth.md';
let page: PageApp;

describe('Passport', () => {
  let app: INestApplication;
  let url: string;

  // One app for all of them: what Passport knows of serializers is the same for all apps of a process
  beforeAll(async () => {
    page = openPage(PAGE, { also: ['admin.guard.ts', 'online-page.controller.ts'], edit: withOnlinePage });
    ({ app, url } = await startMain(() => page.exports('main.ts')));
  });
  afterAll(async () => {
    await app.close();
    await page.close();
  });

  it('signs in, knows the user, and signs out, by the main.ts of the page', async () => {
    const agent = request(url);
    await agent.post('/sign-up').send(ADA).expect(201);
    await agent
      .post('/local/login')
      .send({ ...ADA, password: 'guessed' })
      .expect(401);
    await agent.get('/local/me').expect(401);
    const signedIn = await agent
      .post('/local/login')
      .send({ ...ADA, email: 'Ada@example.com' })
      .expect(200);
    const cookie = cookieOf(signedIn);
    await agent.get('/local/me').set('Cookie', cookie).expect(200, { email: ADA.email });
    const { userId } = signedIn.body as { userId: string };
    expect(await app.get(SessionStore).listForUser(userId)).toHaveLength(2);
    expect(cookieLineOf(await agent.post('/local/logout').set('Cookie', cookie).expect(204))).toContain(
      'Max-Age=0',
    );
    await agent.get('/local/me').set('Cookie', cookie).expect(401);

    const again = cookieOf(await agent.post('/local/login').send(ADA).expect(200));
    await (await users()).disable(userId);
    await agent.post('/local/login').send(ADA).expect(401);
    const gone = await agent.get('/local/me').set('Cookie', again).expect(401);
    expect(cookieLineOf(gone)).toContain('Max-Age=0'); // with the response the session has ended
    expect(await sessionsOf(userId)).toBe(1); // that of the sign-up
  });

  it('keeps the cookie for who asked for it, and signs in nobody by a bad answer', async () => {
    const agent = request(url);
    const carl = { ...ADA, email: 'carl@example.com' };
    const { body } = await agent.post('/sign-up').send(carl).expect(201);
    const { userId } = body as { userId: string };
    const signIn = (remember: unknown) => agent.post('/local/login').send({ ...carl, remember });
    const kept = await signIn('on').expect(200);
    expect(cookieLineOf(kept)).toContain(`Max-Age=${30 * 24 * 3600};`);
    await agent.get('/local/me').set('Cookie', cookieOf(kept)).expect(200, { email: carl.email });
    expect(cookieLineOf(await signIn(undefined).expect(200))).toMatch(/^(?!.*Max-Age)__Host-sid=./);
    expect(await sessionsOf(userId)).toBe(3);
    await signIn('perhaps').expect(400);
    expect(await sessionsOf(userId)).toBe(3);
  });

  it('does not know who has signed in by the other way', async () => {
    const agent = request(url);
    const cookie = cookieOf(await agent.post('/login').send({ ...ADA, email: 'carl@example.com' }));
    await agent.get('/local/me').set('Cookie', cookie).expect(401);
  });

  async function sessionsOf(userId: string): Promise<number> {
    return (await app.get(SessionStore).listForUser(userId)).length;
  }

  it('takes an address and a password as text, in the body, and nothing else', async () => {
    const agent = request(url);
    const bob = { ...ADA, email: 'bob@example.com' };
    const { email, password } = bob;
    await agent.post('/sign-up').send(bob).expect(201);
    const bodies = [
      {},
      [],
      { email },
      { email, password: 123 },
      { email, password: { length: 20 } },
      { email: [email], password },
      { email: `\0${email}`, password },
      { email: `bob\0@example.com`, password },
      { email, password: 'x'.repeat(201) },
    ];
    for (const body of bodies)
      expect([body, (await agent.post('/local/login').send(body)).status]).toEqual([body, 400]);
    const inQuery = `/local/login?${String(new URLSearchParams(bob))}`;
    await agent.post(inQuery).expect(400);
    await agent.post(inQuery).send({ email: '', password: '' }).expect(400);
    await agent.post('/local/login').expect(400);
    await agent.post('/local/login').type('form').send(bob).expect(200);
  });

  it('puts the role into the data, where guards look for it', async () => {
    const agent = request(url);
    const [admin, member] = ['admin@example.com', 'member@example.com'] as const;
    await (await users()).create(admin, ADA.password, 'admin');
    await (await users()).create(member, ADA.password);
    const signIn = (email: string, cookie = '') =>
      agent
        .post('/local/login')
        .set('Cookie', cookie)
        .send({ ...ADA, email })
        .expect(200);
    const cookie = cookieOf(await signIn(admin));
    await agent.get('/admin/online').set('Cookie', cookie).expect(200);
    // In the same browser: the role of whoever was signed in before does not stay
    await agent
      .get('/admin/online')
      .set('Cookie', cookieOf(await signIn(member, cookie)))
      .expect(403);
  });

  interface Users {
    create(email: string, password: string, role?: string): Promise<unknown>;
    disable(id: string): Promise<void>;
  }

  async function users(): Promise<Users> {
    return app.get(await page.recipe<Users>('users.service.ts', 'UsersService'), { strict: false });
  }
});

/** The page's module with the controller of an administrator's page. */
function withOnlinePage(file: Snippet): Snippet {
  if (file.file !== 'local.module.ts') return hashCheaply(file);
  const code = file.code.replace('[LocalController]', '[LocalController, OnlinePageController]');
  return { ...file, code: `import { OnlinePageController } from './online-page.controller.js';\n${code}` };
}

function openPageForEach(): void {
  beforeEach(() => {
    page = openPage(PAGE);
  });
  afterEach(() => page.close());
}

/** What an app without one of its settings says when it starts. */
describe('a provider of which a setting is missing', () => {
  const SETTINGS = { OIDC_ISSUER: 'http://127.0.0.1:1', OIDC_CLIENT_ID: 'id', OIDC_CLIENT_SECRET: 'secret' };
  const before = { ...process.env };
  openPageForEach();
  afterEach(() => restore(before));

  it.each(Object.keys(SETTINGS))('stops the app at startup, without %s', async (name) => {
    Object.assign(process.env, SETTINGS);
    delete process.env[name];
    const OidcClient = await page.recipe('oidc.client.ts', 'OidcClient');
    expect(() => new OidcClient()).toThrow(`${name} is not set`);
    process.env[name] = SETTINGS[name as keyof typeof SETTINGS];
    expect(() => new OidcClient()).not.toThrow();
  });
});

function restore(before: NodeJS.ProcessEnv): void {
  for (const name of ['OIDC_ISSUER', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET']) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
}

/** GET of a target that `URL` need not be able to read, as only a program sends it. */
async function statusOf(url: string, target: string, cookie = ''): Promise<number | undefined> {
  const { hostname, port } = new URL(url);
  const sent = httpRequest({ hostname, port, path: target, headers: { Cookie: cookie }, agent: false }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

@Controller('who')
@RequireAuth()
class WhoController {
  @Get()
  who(@UserId() userId: string): object {
    return { userId };
  }
}

/** How browsers mark the way back: another site leads there. */
const FROM_PROVIDER = {
  'Sec-Fetch-Site': 'cross-site',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-Dest': 'document',
};

describe.each(['Express', 'Fastify'] as const)('a provider, on %s', (platform) => {
  const envBefore = { ...process.env };
  let provider: OidcProvider;
  let running: Running;

  openPageForEach();
  beforeEach(() => open());
  afterEach(() => {
    provider.close();
    restore(envBefore);
  });

  async function open(metadata = {}): Promise<void> {
    provider?.close();
    provider = await openOidcProvider({ sub: 'ada', sid: 'one' }, metadata);
    Object.assign(process.env, {
      OIDC_ISSUER: provider.issuer,
      OIDC_CLIENT_ID: CLIENT.id,
      OIDC_CLIENT_SECRET: CLIENT.secret,
    });
    const imports = [await page.recipe('oidc.module.ts', 'OidcModule')];
    running = await page.start({ imports, controllers: [WhoController] }, platform);
  }

  async function begun(path = '/oidc/login?returnTo=/who') {
    const login = await running.get(path).expect(303);
    return { visitor: cookieOf(login), back: await provider.visit(login.get('Location') ?? '') };
  }

  async function signedIn(): Promise<string> {
    const { visitor, back } = await begun();
    return cookieOf(await running.get(back, visitor).set(FROM_PROVIDER).expect(303));
  }

  const tell = (token: string) => running.submit('/oidc/backchannel-logout', { logout_token: token });
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };

  it('signs in, under a new token, and leads to where the visitor wanted to go', async () => {
    const { visitor, back } = await begun();
    const done = await running.get(back, visitor).set(FROM_PROVIDER).expect(303);
    expect(done.get('Location')).toBe('/who');
    expect(cookieOf(done)).not.toBe(visitor);
    await running.get('/who', cookieOf(done)).expect(200, { userId: 'ada' });
    await running.get('/who', visitor).expect(401);
    const [session] = await running.app.get(SessionStore).listForUser('ada');
    expect([session?.data, session?.meta['sid']]).toEqual([{}, 'one']);
    running.clock.advance('7h');
    await running.get('/who', cookieOf(done)).expect(200);
    running.clock.advance('61m');
    await running.get('/who', cookieOf(done)).expect(401);
  });

  it('signs in once, in the browser where it began, with the answer that was asked for', async () => {
    const { visitor, back } = await begun();
    await running.get(back).set(FROM_PROVIDER).expect(400);
    const [first, second] = await Promise.all([running.get(back, visitor), running.get(back, visitor)]);
    expect([first.status, second.status].toSorted((a, b) => a - b)).toEqual([303, 400]);
    const another = await begun();
    await running.get(back, another.visitor).expect(400); // the answer to the first
    const third = await begun('/oidc/login?returnTo=https://evil.example');
    expect((await running.get(third.back, third.visitor).expect(303)).get('Location')).toBe('/');
  });

  it('goes on with a sign-in under way, whatever other sites lead to /oidc/callback with', async () => {
    const { visitor, back } = await begun();
    for (const query of ['', '?code=1', '?code=1&state=guessed', '?state=', '?state=a&state=b', '?error=no'])
      await running.get(`/oidc/callback${query}`, visitor).set(FROM_PROVIDER).expect(400);
    await running.get(back, visitor).set(FROM_PROVIDER).expect(303);
    const refused = await begun();
    const { searchParams } = new URL(refused.back, running.url);
    const no = `/oidc/callback?error=access_denied&state=${searchParams.get('state')}`;
    await running.get(no, refused.visitor).set(FROM_PROVIDER).expect(400); // the user said no
    await running.get(refused.back, refused.visitor).set(FROM_PROVIDER).expect(400);
  });

  it('says in the log why somebody was not signed in', async () => {
    const { visitor, back } = await begun();
    const state = new URL(back, running.url).searchParams.get('state') ?? '';
    const said: unknown[] = [];
    const keep = (...words: unknown[]) => void said.push(...words);
    Logger.overrideLogger({ log: keep, warn: keep, error: keep });
    await running.get(`/oidc/callback?error=access_denied&state=${state}`, visitor).expect(400);
    Logger.overrideLogger(false);
    expect(said).toContain('The provider did not sign somebody in');
    expect(said).toContainEqual(expect.objectContaining({ error: 'access_denied' }));
  });

  it('does not care which host a request names, were it none', async () => {
    const { visitor, back } = await begun();
    const statuses = [
      await statusOf(running.url, 'http://a:99999/oidc/callback?code=1'),
      await statusOf(running.url, 'http://a:99999/oidc/callback?code=1', visitor),
      await statusOf(running.url, `http://a:99999${back}`, visitor),
    ];
    expect(statuses).toEqual([400, 400, platform === 'Express' ? 303 : 400]);
  });

  it('ends the session here, and leads home, if the provider has no page that ends it there', async () => {
    await open({ end_session_endpoint: undefined });
    const cookie = await signedIn();
    const out = await running.submit('/oidc/logout', {}, cookie).expect(303);
    expect(out.get('Location')).toBe('/');
    await running.get('/who', cookie).expect(401);
  });

  it('ends the session here, and leads to the page that ends it there', async () => {
    const cookie = await signedIn();
    const out = await running.submit('/oidc/logout', {}, cookie).expect(303);
    expect(out.get('Location')).toContain(`${provider.issuer}/end?post_logout_redirect_uri=`);
    await running.get('/who', cookie).expect(401);
  });

  it('ends what its own session began, or all of the user, by the back channel', async () => {
    const cookie = await signedIn();
    await running.app.get(SessionStore).create({ sid: 'two' }, 'ada');
    await tell(await provider.sign({ sub: 'ada', sid: 'three', events })).expect(200);
    await running.get('/who', cookie).expect(200);
    const told = await tell(await provider.sign({ sub: 'ada', sid: 'one', events })).expect(200);
    expect(told.get('Cache-Control')).toBe('no-store');
    await running.get('/who', cookie).expect(401);
    expect(await running.app.get(SessionStore).listForUser('ada')).toHaveLength(1);
    await tell(await provider.sign({ sub: 'ada', events })).expect(200);
    expect(await running.app.get(SessionStore).listForUser('ada')).toEqual([]);
  });

  it('believes nothing that is no logout token of the provider', async () => {
    const cookie = await signedIn();
    const other = await openOidcProvider({});
    const tokens = [
      'junk',
      await other.sign({ sub: 'ada', events }),
      await provider.sign({ sub: 'ada' }), // as an ID token has it
      await provider.sign({ sub: 'ada', events, nonce: 'n' }),
      await provider.sign({ sid: 'one', events }),
    ];
    for (const token of tokens) expect([token, (await tell(token)).status]).toEqual([token, 400]);
    await running.submit('/oidc/backchannel-logout', {}).expect(400);
    await request(running.url).post('/oidc/backchannel-logout').expect(400); // no body at all
    for (const body of [{ logout_token: 1 }, { logout_token: ['a', 'b'] }, { logout_token: null }, []])
      await running.post('/oidc/backchannel-logout', body).expect(400);
    await running.get('/who', cookie).expect(200);
    other.close();
  });
});
