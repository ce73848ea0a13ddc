import { Controller, Get } from '@nestjs/common';
import { RequireAuth, SessionStore, UserId } from 'nest-sessions';
import request from 'supertest';
import { CLIENT, type OidcProvider, openOidcProvider } from './oidc-provider.js';
import { cookieLineOf, cookieOf, openPage, type PageApp, type Running } from './page-app.js';
import { startMain } from './run.js';

const ADA = { email: 'ada@example.com', password: 'correct horse battery' };
let page: PageApp;

beforeEach(() => {
  page = openPage('docs/passport-and-oauth.md');
});
afterEach(() => page.close());

describe('Passport', () => {
  it('signs in, knows the user, and signs out, by the main.ts of the page', async () => {
    const { app, url } = await startMain(() => page.exports('main.ts'));
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
    const UsersService = await page.recipe<{ disable(id: string): Promise<void> }>(
      'users.service.ts',
      'UsersService',
    );
    await app.get(UsersService, { strict: false }).disable(userId);
    await agent.post('/local/login').send(ADA).expect(401);
    await agent.get('/local/me').set('Cookie', again).expect(401);
    await app.close();
  });
});

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

  beforeEach(async () => {
    provider = await openOidcProvider({ sub: 'ada', sid: 'one' });
    Object.assign(process.env, {
      OIDC_ISSUER: provider.issuer,
      OIDC_CLIENT_ID: CLIENT.id,
      OIDC_CLIENT_SECRET: CLIENT.secret,
    });
    const imports = [await page.recipe('oidc.module.ts', 'OidcModule')];
    running = await page.start({ imports, controllers: [WhoController] }, platform);
  });
  afterEach(() => {
    provider.close();
    for (const name of ['OIDC_ISSUER', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET']) {
      if (envBefore[name] === undefined) delete process.env[name];
      else process.env[name] = envBefore[name];
    }
  });

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
    await running.get('/who', cookie).expect(200);
    other.close();
  });
});
