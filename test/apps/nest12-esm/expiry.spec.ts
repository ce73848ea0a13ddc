import { Test } from '@nestjs/testing';
import { Clock, SessionBackend } from 'nest-sessions';
import { ManualClock, MemorySessionBackend, signIn } from 'nest-sessions/testing';
import request from 'supertest';
import { AppModule } from './app.module.js';

it('signs out after a day without use', async () => {
  const clock = new ManualClock('2030-01-01T12:00:00Z');
  const testing = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(Clock)
    .useValue(clock)
    .overrideProvider(SessionBackend)
    .useValue(new MemorySessionBackend())
    .compile();
  const app = await testing.createNestApplication().init();
  const { cookie } = await signIn(app, 'ada', { data: { theme: 'dark' } });

  await request(app.getHttpServer()).get('/devices').set('Cookie', cookie).expect(200);
  clock.advance('24h');
  await request(app.getHttpServer()).get('/devices').set('Cookie', cookie).expect(401);
  await app.close();
});
