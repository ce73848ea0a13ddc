import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import request from 'supertest';
import type { App } from 'supertest/types.js';
import { AppModule } from './app.module.js';

let app: INestApplication<App>;

beforeEach(async () => {
  const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
  app = testing.createNestApplication();
  await app.init();
});

afterEach(() => app.close());

/** Keeps cookies, and returns them as a browser does over https. */
function browser() {
  const agent = request.agent(app.getHttpServer());
  agent.on('response', (response: request.Response) => {
    const cookies = response.get('Set-Cookie') ?? [];
    agent.jar.setCookies(cookies.map((cookie) => cookie.replace('; Secure', '')));
  });
  return agent;
}

it('leads from the sign-in to the list of devices', async () => {
  const [laptop, phone] = [browser(), browser()];
  await laptop.get('/devices').expect(401);
  await laptop.post('/login').send({ name: 'ada' }).expect(201);
  await phone.post('/login').send({ name: 'ada' }).expect(201);
  const devices = await laptop.get('/devices').expect(200);
  expect(devices.body).toHaveLength(2);
});

it('needs no agent: the cookie can be sent by hand', async () => {
  const login = await request(app.getHttpServer()).post('/login').send({ name: 'ada' }).expect(201);
  const [cookie = ''] = login.get('Set-Cookie')?.[0]?.split(';') ?? [];
  await request(app.getHttpServer()).get('/devices').set('Cookie', cookie).expect(200);
});
