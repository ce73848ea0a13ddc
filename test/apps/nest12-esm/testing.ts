import assert from 'node:assert/strict';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { RequireAuth, SessionModule, UserId } from 'nest-sessions';
import { createTestSession, ManualClock, MemorySessionBackend, signIn } from 'nest-sessions/testing';

@Controller('me')
class AccountController {
  @Get()
  @RequireAuth()
  me(@UserId() userId: string): { userId: string } {
    return { userId };
  }
}

const clock = new ManualClock('2030-01-01');

@Module({
  imports: [SessionModule.forRoot({ plaintext: true, backend: MemorySessionBackend, clock, ttl: '1h' })],
  controllers: [AccountController],
})
class AppModule {}

const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter(), {
  logger: ['error'],
  abortOnError: false,
});
await app.init();

const { cookie } = await signIn(app, 'ada');
const signedIn = await app.inject({ method: 'GET', url: '/me', headers: { cookie } });
assert.equal(signedIn.statusCode, 200, 'the cookie of signIn() works with inject()');
assert.deepEqual(signedIn.json(), { userId: 'ada' });

clock.advance('1h');
const later = await app.inject({ method: 'GET', url: '/me', headers: { cookie } });
assert.equal(later.statusCode, 401, 'and ends when the ManualClock says so');
await app.close();

const session = await createTestSession({ userId: 'ada' });
assert.equal(session.userId, 'ada', 'createTestSession() needs no app');
console.log('signIn(), ManualClock and createTestSession() work outside the repository');
