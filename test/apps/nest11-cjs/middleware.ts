import 'reflect-metadata';
import { type INestApplication, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type ExpressSession, SessionModule, sessionOf } from 'nest-sessions';
import { MemorySessionBackend, signIn } from 'nest-sessions/testing';
import { NotesController } from './notes';

@Module({
  imports: [
    SessionModule.forRoot({ key: randomBytes(32), backend: MemorySessionBackend, mount: 'middleware' }),
  ],
  controllers: [NotesController],
})
class AppModule {}

/** Middleware of main.ts finds the session, and what it writes is saved. */
async function check(app: INestApplication): Promise<void> {
  app.use((request: { session: ExpressSession }, _response: unknown, next: () => void) => {
    if (sessionOf(request)?.isAuthenticated) (request.session.notes ??= []).push('from middleware');
    next();
  });
  await app.listen(0, '127.0.0.1');
  const url = `${await app.getUrl()}/notes`;
  assert.equal((await fetch(url)).status, 401);
  const { cookie } = await signIn(app, 'ada');
  await (await fetch(url, { headers: { Cookie: cookie } })).text();
  const notes = await (await fetch(url, { headers: { Cookie: cookie } })).json();
  assert.deepEqual(notes, { userId: 'ada', notes: ['from middleware', 'from middleware'] });
  await app.close();
}

async function main(): Promise<void> {
  const options = { logger: ['error', 'warn'] as ('error' | 'warn')[], abortOnError: false };
  await check(await NestFactory.create(AppModule, new ExpressAdapter(), options));
  await check(await NestFactory.create(AppModule, new FastifyAdapter(), options));
  console.log('middleware has the session, on Express and on Fastify');
}

void main();
