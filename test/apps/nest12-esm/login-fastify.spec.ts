import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { AppModule } from './app.module.js';

it('leads from the sign-in to the list of devices, on Fastify', async () => {
  const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
  const app = testing.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
  await app.init();

  const login = await app.inject({ method: 'POST', url: '/login', payload: { name: 'ada' } });
  const cookies = Object.fromEntries(login.cookies.map(({ name, value }) => [name, value]));
  const devices = await app.inject({ url: '/devices', cookies });
  expect(devices.json()).toMatchObject([{ current: true }]);
  await app.close();
});
