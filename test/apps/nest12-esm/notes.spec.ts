import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { randomBytes } from 'node:crypto';
import { SessionModule } from 'nest-sessions';
import { createTestSession, signIn } from 'nest-sessions/testing';
import request from 'supertest';
import { NotesController } from './notes.js';

describe('notes', () => {
  let app: INestApplication;

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ type: 'sqlite', database: ':memory:', autoLoadEntities: true }),
        SessionModule.forRoot({ key: randomBytes(32) }),
      ],
      controllers: [NotesController],
    }).compile();
    app = await module.createNestApplication().init();
  });

  afterAll(() => app.close());

  it('are for who is signed in', async () => {
    await request(app.getHttpServer()).get('/notes').expect(401);
    const { cookie } = await signIn(app, 'ada', { data: { notes: ['first'] } });
    await request(app.getHttpServer())
      .post('/notes')
      .set('Cookie', cookie)
      .send({ note: 'second' })
      .expect(201, '2');
    const { body } = await request(app.getHttpServer()).get('/notes').set('Cookie', cookie).expect(200);
    expect(body).toEqual({ userId: 'ada', notes: ['first', 'second'] });
  });

  it('can be tested without an app', async () => {
    const session = await createTestSession({ userId: 'ada', data: { notes: [] } });
    const notes = new NotesController();
    expect(await notes.add({ note: 'one' }, session)).toBe(1);
    expect(notes.list('ada', session)).toEqual({ userId: 'ada', notes: ['one'] });
  });
});
