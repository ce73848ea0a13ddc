import { Controller, Get, type INestApplication, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import request from 'supertest';
import type { App } from 'supertest/types.js';
import {
  RequireAuth,
  Session,
  SessionModule,
  type SessionOptions,
  SessionStore,
  UserId,
} from 'nest-sessions';
import { MemorySessionBackend, signIn } from 'nest-sessions/testing';
import { closeApps, http, KEY, type Platform, PLATFORMS, startApp } from '../support/nest-app.js';

@Controller()
class AccountController {
  @Get('me')
  @RequireAuth()
  me(@UserId() userId: string, @Session() session: Session) {
    return { userId, theme: session.data.theme ?? null, id: session.id };
  }

  @Post('enter')
  enter(@Session() session: Session): Promise<void> {
    return session.authenticate('ada');
  }

  @Get('leave')
  leave(@Session() session: Session): Promise<void> {
    return session.logout();
  }
}

const start = (platform: Platform, options: Partial<SessionOptions> = {}) =>
  startApp({
    platform,
    controllers: [AccountController],
    imports: [SessionModule.forRoot({ key: KEY, backend: MemorySessionBackend, ...options })],
  });

afterEach(closeApps);

describe.each(PLATFORMS)('signIn on %s', (platform) => {
  it('gives a cookie that supertest sends', async () => {
    const app = await start(platform);
    await http(app).get('/me').expect(401);
    const { cookie, session } = await signIn(app, 'ada');
    expect(session).toMatchObject({ userId: 'ada', data: {} });
    const response = await http(app).get('/me').set('Cookie', cookie).expect(200);
    expect(response.body).toEqual({ userId: 'ada', theme: null, id: session.id });
  });

  it('keeps data', async () => {
    const app = await start(platform);
    const { cookie } = await signIn(app, 'ada', { data: { theme: 'dark' } });
    expect((await http(app).get('/me').set('Cookie', cookie)).body).toMatchObject({ theme: 'dark' });
  });

  it.each([{ secure: false }, { name: 'shop' }, { domain: 'example.com' }])(
    'follows the cookie options %p',
    async (cookie) => {
      const app = await start(platform, { cookie });
      await http(app)
        .get('/me')
        .set('Cookie', (await signIn(app, 'ada')).cookie)
        .expect(200);
    },
  );

  it('takes ids as apps have them', async () => {
    const app = await start(platform);
    for (const id of [7, 7n, '7']) {
      const { cookie } = await signIn(app, id);
      expect((await http(app).get('/me').set('Cookie', cookie)).body).toMatchObject({ userId: '7' });
    }
  });

  it('signs in as many as are asked for, each apart', async () => {
    const app = await start(platform);
    const [ada, bob] = [await signIn(app, 'ada'), await signIn(app, 'bob')];
    await http(app).get('/leave').set('Cookie', ada.cookie).expect(200);
    await http(app).get('/me').set('Cookie', ada.cookie).expect(401);
    await http(app).get('/me').set('Cookie', bob.cookie).expect(200);
  });

  it('keeps the limit, as a sign-in over HTTP does', async () => {
    const app = await start(platform, { maxPerUser: 1 });
    const [first, second] = [await signIn(app, 'ada'), await signIn(app, 'ada')];
    await http(app).get('/me').set('Cookie', first.cookie).expect(401);
    await http(app).get('/me').set('Cookie', second.cookie).expect(200);
  });
});

/** What the documentation says of agents, which send no Secure cookie over http. */
describe('supertest.agent()', () => {
  const agentOf = (app: INestApplication) => request.agent(app.getHttpServer() as App);

  it('sends the cookie of signIn() with each request, once it has been told to', async () => {
    const app = await start('express');
    const agent = agentOf(app).set('Cookie', (await signIn(app, 'ada')).cookie);
    for (let turn = 0; turn < 2; turn++)
      expect((await agent.get('/me').expect(200)).body).toMatchObject({ userId: 'ada' });
    await agent.get('/leave').expect(200);
    await agent.get('/me').expect(401);
  });

  it('sends the cookie of a route that signs in, once it has been told to', async () => {
    const agent = agentOf(await start('express'));
    const login = await agent.post('/enter').expect(201);
    await agent.get('/me').expect(401); // not by itself: the cookie is Secure
    agent.set('Cookie', login.get('Set-Cookie') ?? []);
    expect((await agent.get('/me').expect(200)).body).toMatchObject({ userId: 'ada' });
  });

  it('keeps cookies by itself where `cookie.secure` is false in tests', async () => {
    const agent = agentOf(await start('express', { cookie: { secure: false } }));
    await agent.post('/enter').expect(201);
    await agent.get('/me').expect(200);
    await agent.get('/leave').expect(200);
    await agent.get('/me').expect(401);
  });
});

describe('signIn', () => {
  // Fastify's own `inject` cannot be loaded by Jest on Node 20: test/apps/nest12-esm has it.
  it('gives a header of one cookie', async () => {
    const { cookie } = await signIn(await start('fastify'), 'ada');
    expect(cookie).toMatch(/^__Host-sid=[\w.~-]+$/);
  });

  it('works on an app without HTTP', async () => {
    @Module({ imports: [SessionModule.forRoot({ key: KEY, backend: MemorySessionBackend })] })
    class WorkerModule {}
    const worker = await NestFactory.createApplicationContext(WorkerModule, { logger: false });
    const { session } = await signIn(worker, 'ada');
    expect(await worker.get(SessionStore).load(session.id)).toEqual(session);
    await worker.close();
  });

  it('refuses what is no user id', async () => {
    const app = await start('express');
    await expect(signIn(app, '')).rejects.toThrow('Invalid user id: expected a non-empty string');
  });
});
