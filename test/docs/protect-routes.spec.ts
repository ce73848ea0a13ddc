import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Controller, Get, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import express from 'express';
import { SessionModule, SessionStore } from 'nest-sessions';
import { MemorySessionBackend, signIn } from 'nest-sessions/testing';
import request from 'supertest';
import { ROOT } from './compile.js';
import { Document } from './document.js';
import { cookieOf, openPage, type PageApp, type Running } from './page-app.js';

const ADA = { email: 'ada@example.com', password: 'correct horse battery' };
let page: PageApp;

beforeEach(() => {
  page = openPage('docs/protect-routes.md');
});
afterEach(() => page.close());

async function started(file: string, name: string): Promise<Running> {
  return page.start({ controllers: [await page.recipe(file, name)] });
}

/** Cookies of somebody with a role, by a sign-in that is not asked for a password. */
async function cookieAs({ app }: Running, role: string): Promise<string> {
  return (await signIn(app, role, { data: { role } })).cookie;
}

describe('all routes but a few', () => {
  it('need a user, but for those that are public', async () => {
    const { get, post } = await page.start();
    await get('/').expect(200, { welcome: true });
    await get('/live').expect(200, { up: true });
    await get('/nowhere').expect(404);
    const refused = await get('/orders').expect(401);
    const { text } = Document.read(join(ROOT, 'docs/protect-routes.md'));
    expect(refused.body).toEqual(JSON.parse(/```json\n([^]*?)```/.exec(text)?.[1] ?? ''));
    const signedUp = await post('/sign-up', ADA).expect(201);
    const { userId } = signedUp.body as { userId: string };
    await get('/orders', cookieOf(signedUp)).expect(200, { userId, orders: [] });
  });
});

describe('some routes', () => {
  it('need a user, and one needs a recent proof of it', async () => {
    const running = await started('orders.controller.ts', 'OrdersController');
    const cookie = await cookieAs(running, 'member');
    await running.get('/shop/prices').expect(200, { tea: 12 });
    await running.get('/shop/orders').expect(401);
    await running.get('/shop/orders', cookie).expect(200);
    const cancel = () => request(running.url).delete('/shop/orders/7').set('Cookie', cookie);
    await cancel().expect(200, { cancelled: '7' });
    running.clock.advance('11m');
    expect((await cancel().expect(401)).body).toMatchObject({ code: 'reauthentication_required' });
  });
});

describe('a guard of your own', () => {
  it('for a role tells whom it knows from whom it does not', async () => {
    const running = await started('reports.controller.ts', 'ReportsController');
    await running.get('/reports').expect(401);
    await running.get('/reports', await cookieAs(running, 'member')).expect(403);
    await running.get('/reports', await cookieAs(running, 'admin')).expect(200, { reports: [] });
  });

  it('has the session also as a guard of the root module', async () => {
    @Controller('admin')
    class AdminController {
      @Get()
      show(): string {
        return 'for admins';
      }
    }

    const useClass = await page.recipe('admin.guard.ts', 'AdminGuard');
    const running = await page.start({
      controllers: [AdminController],
      providers: [{ provide: APP_GUARD, useClass }],
    });
    await running.get('/admin', await cookieAs(running, 'member')).expect(403);
    await running.get('/admin', await cookieAs(running, 'admin')).expect(200);
  });
});

describe('a guard that sets request.user', () => {
  it('gives handlers the user, and ends the session of an account that is disabled', async () => {
    const imports = [await page.recipe('accounts.module.ts', 'AccountsModule')];
    const useClass = await page.recipe('user.guard.ts', 'UserGuard');
    const { app, get, post } = await page.start({
      imports,
      controllers: [await page.recipe('me.controller.ts', 'MeController')],
      providers: [{ provide: APP_GUARD, useClass }],
    });
    await get('/').expect(200);
    await get('/me').expect(401);
    const answer = await post('/sign-up', ADA).expect(201);
    const { userId: id } = answer.body as { userId: string };
    await get('/me', cookieOf(answer)).expect(200, { id, email: ADA.email, role: 'member' });

    const users = app.get<{ disable(id: string): Promise<void> }>(
      await page.recipe('users.service.ts', 'UsersService'),
      { strict: false },
    );
    await users.disable(id);
    const refused = await get('/me', cookieOf(answer)).expect(401);
    expect(refused.body).toMatchObject({ code: 'authentication_required' });
    expect(await app.get(SessionStore).listForUser(id)).toEqual([]);
  });
});

describe('files', () => {
  it('are sent by a route to who is signed in, and none from outside their folder', async () => {
    mkdirSync('invoices');
    writeFileSync('invoices/1.pdf', 'paid');
    writeFileSync('secret.pdf', 'secret');
    const running = await started('files.controller.ts', 'FilesController');
    const cookie = await cookieAs(running, 'member');
    await running.get('/invoices/1.pdf').expect(401);
    const file = await running.get('/invoices/1.pdf', cookie).expect(200);
    expect([String(file.body), file.get('Content-Type')]).toEqual(['paid', 'application/pdf']);
    for (const path of ['2.pdf', '..%2Fsecret.pdf', '..', '.'])
      expect([path, (await running.get(`/invoices/${path}`, cookie)).status]).toEqual([path, 404]);
  });

  it('are held back by a middleware, which no guard does', async () => {
    mkdirSync('downloads');
    writeFileSync('downloads/a.txt', 'text');
    const { signedInOnly } = await page.exports<{ signedInOnly: express.RequestHandler }>(
      'signed-in.middleware.ts',
    );

    @Module({
      imports: [
        SessionModule.forRoot({
          key: process.env['SESSION_KEY'],
          mount: 'middleware',
          requireAuth: true,
          backend: new MemorySessionBackend(),
        }),
      ],
    })
    class AppModule {}

    const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
    const app = testing.createNestApplication<NestExpressApplication>();
    app.use('/downloads', signedInOnly, express.static('downloads'));
    app.useStaticAssets('downloads', { prefix: '/open' });
    await app.init();
    const { cookie } = await signIn(app, 'ada');
    const agent = request(app.getHttpServer());
    await agent.get('/open/a.txt').expect(200); // what the page warns of
    await agent.get('/downloads/a.txt').expect(401, { statusCode: 401, code: 'authentication_required' });
    await agent.get('/downloads/a.txt').set('Cookie', cookie).expect(200, 'text');
    await app.close();
  });
});
