import type { Type } from '@nestjs/common';
import request from 'supertest';
import { cookieOf, openPage, type PageApp, type Running } from './page-app.js';

const ADA = { email: 'ada@example.com', password: 'correct horse battery' };
let page: PageApp;

beforeEach(() => {
  page = openPage('docs/bearer.md', {
    goesOnWith: 'docs/sign-in.md',
    also: ['devices.controller.ts'],
    sessions: 'bearer-sessions.ts',
  });
});
afterEach(() => page.close());

interface Client extends Running {
  /** A request with a token. */
  readonly as: (token: string, method: 'get' | 'post' | 'delete', path: string) => request.Test;
  readonly signIn: () => Promise<string>;
}

async function started(): Promise<Client> {
  const controllers: Type[] = [
    await page.recipe('token.controller.ts', 'TokenController'),
    await page.recipe('devices.controller.ts', 'DevicesController'),
  ];
  const running = await page.start({
    imports: [await page.recipe('accounts.module.ts', 'AccountsModule')],
    controllers,
  });
  await running.post('/sign-up', ADA).expect(201);
  return {
    ...running,
    as: (token, method, path) => request(running.url)[method](path).set('Authorization', `Bearer ${token}`),
    signIn: async () => tokenOf(await running.post('/token', ADA).expect(200)),
  };
}

function tokenOf(answer: request.Response): string {
  const { access_token: token, token_type: type } = answer.body as Record<string, string>;
  expect([type, answer.get('Cache-Control'), answer.get('Set-Cookie')]).toEqual([
    'Bearer',
    'no-store',
    undefined,
  ]);
  return token ?? '';
}

describe('a client without cookies', () => {
  it('signs in, uses its token, replaces it and signs out', async () => {
    const { as, signIn } = await started();
    const first = await signIn();
    const devices = (await as(first, 'get', '/devices').expect(200)).body as { current: boolean }[];
    expect(devices.filter(({ current }) => current)).toHaveLength(1);
    const second = tokenOf(await as(first, 'post', '/token/rotate').expect(200));
    expect(second).not.toBe(first);
    await as(second, 'get', '/devices').expect(200);
    await as(second, 'delete', '/token').expect(204);
    const refused = await as(second, 'get', '/devices').expect(401);
    expect(refused.get('WWW-Authenticate')).toBe('Bearer realm="session", error="invalid_token"');
  });

  it('gets a new token for a token alone: the one of a cookie stays out of the reach of scripts', async () => {
    const { post } = await started();
    const cookie = cookieOf(await post('/login', ADA).expect(200));
    await post('/token/rotate', {}, cookie).expect(401);
  });

  it('is served with the old token for a minute, after which its return is a theft', async () => {
    const { as, clock, signIn } = await started();
    const first = await signIn();
    const second = tokenOf(await as(first, 'post', '/token/rotate').expect(200));
    await as(second, 'get', '/devices').expect(200);
    await as(first, 'get', '/devices').expect(200); // was under way
    clock.advance('2m');
    await as(second, 'get', '/devices').expect(200);
    await as(first, 'get', '/devices').expect(401);
    await as(second, 'get', '/devices').expect(401);
  });

  it('asks again with the old token when the answer got lost', async () => {
    const { as, clock, signIn } = await started();
    const first = await signIn();
    await as(first, 'post', '/token/rotate').expect(200);
    clock.advance('2m');
    await as(first, 'get', '/devices').expect(200);
    const third = tokenOf(await as(first, 'post', '/token/rotate').expect(200));
    await as(third, 'get', '/devices').expect(200);
  });

  it('is refused with a cookie beside its token, and with its token as a cookie', async () => {
    const { as, get, post, signIn } = await started();
    const token = await signIn();
    const cookie = cookieOf(await post('/login', ADA).expect(200));
    const two = await as(token, 'get', '/devices').set('Cookie', cookie).expect(400);
    expect(two.body).toMatchObject({ code: 'two_tokens' });
    await get('/devices', `__Host-sid=${token}`).expect(401);
    await post('/token', { ...ADA, password: 'guessed' }).expect(401);
  });
});
