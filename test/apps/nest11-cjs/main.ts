import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { SessionModule } from 'nest-sessions';
import { signIn } from 'nest-sessions/testing';
import { NotesController } from './notes';

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'sqlite', database: 'app.sqlite', autoLoadEntities: true }),
    SessionModule.forRootAsync({
      useFactory: () => ({ key: randomBytes(32).toString('hex'), maxPerUser: 5 }),
    }),
  ],
  controllers: [NotesController],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'], abortOnError: false });
  await app.listen(0, '127.0.0.1');
  const url = `${await app.getUrl()}/notes`;

  assert.equal((await fetch(url)).status, 401, 'nobody is signed in');
  const { cookie } = await signIn(app, 7);
  const added = await fetch(url, {
    method: 'POST',
    headers: { Cookie: cookie, 'Content-Type': 'application/json' },
    body: JSON.stringify({ note: 'first' }),
  });
  assert.equal(added.status, 201);
  const notes = await fetch(url, { headers: { Cookie: cookie } });
  assert.deepEqual(
    await notes.json(),
    { userId: '7', notes: ['first'] },
    'the note comes back with the cookie',
  );

  await app.close();
  console.log('the note came back with the cookie, and only with it');
}

void main();
