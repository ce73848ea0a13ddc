import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Clock } from 'nest-sessions';
import { ManualClock, signIn } from 'nest-sessions/testing';
import request from 'supertest';
import type { App } from 'supertest/types.js';
import { AppModule } from './app.module.js';

it('signs out after a day without use', async () => {
  const clock = new ManualClock('2030-01-01T12:00:00Z');
  const testing = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(Clock)
    .useValue(clock)
    .compile();
  const app = testing.createNestApplication<INestApplication<App>>();
  await app.init();
  const { cookie } = await signIn(app, 'ada', { data: { theme: 'dark' } });

  await request(app.getHttpServer()).get('/devices').set('Cookie', cookie).expect(200);
  clock.advance('24h');
  await request(app.getHttpServer()).get('/devices').set('Cookie', cookie).expect(401);
  await app.close();
});
