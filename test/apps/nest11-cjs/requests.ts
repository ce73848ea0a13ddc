import 'reflect-metadata';
import { Controller, type INestApplication, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Session, SessionModule } from 'nest-sessions';
import { MemorySessionBackend, signIn } from 'nest-sessions/testing';
import { NotesController } from './notes';

@Controller()
class TokenController {
  @Post('token')
  async token(@Session() session: Session): Promise<{ token: string }> {
    const token = await session.authenticate('ada', { transport: 'bearer' });
    return { token: token.reveal() };
  }
}

@Module({
  imports: [
    SessionModule.forRoot({
      key: randomBytes(32),
      backend: MemorySessionBackend,
      transport: ['cookie', 'bearer'],
      onClientChange: 'revoke',
    }),
  ],
  controllers: [NotesController, TokenController],
})
class AppModule {}

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0';

/** What Nest 11 has no protection of its own for, and how it answers. */
async function check(app: INestApplication): Promise<void> {
  await app.listen(0, '127.0.0.1');
  const origin = await app.getUrl();
  const url = `${origin}/notes`;
  const post = (headers: Record<string, string>): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify({ note: 'a note' }),
    });

  const { cookie } = await signIn(app, 'ada');
  const foreign = await post({ Cookie: cookie, Origin: 'https://evil.example' });
  assert.equal(foreign.status, 403);
  assert.equal(((await foreign.json()) as { code: string }).code, 'cross_site_request');
  assert.equal((await post({ Cookie: cookie, Origin: origin })).status, 201);
  assert.equal((await post({ Cookie: cookie })).status, 201, 'no browser of today');

  const answer = await fetch(`${origin}/token`, { method: 'POST', headers: { 'User-Agent': FIREFOX } });
  const { token } = (await answer.json()) as { token: string };
  assert.equal(answer.headers.get('set-cookie'), null);
  const bearer = { Authorization: `Bearer ${token}`, 'User-Agent': FIREFOX };
  assert.equal((await fetch(url, { headers: bearer })).status, 200);
  assert.equal((await fetch(url, { headers: { ...bearer, Cookie: cookie } })).status, 400, 'two tokens');
  const changed = await fetch(url, { headers: { ...bearer, 'User-Agent': 'curl/8.5.0' } });
  assert.equal(changed.status, 401, 'another client');
  assert.match(changed.headers.get('www-authenticate') ?? '', /^Bearer .*invalid_token/);
  assert.equal((await fetch(url, { headers: bearer })).status, 401, 'the session has ended');
  await app.close();
}

async function main(): Promise<void> {
  const options = { logger: ['error', 'warn'] as ('error' | 'warn')[], abortOnError: false };
  await check(await NestFactory.create(AppModule, new ExpressAdapter(), options));
  await check(await NestFactory.create(AppModule, new FastifyAdapter(), options));
  console.log(
    'requests of other sites, bearer tokens and other clients are told apart, on Express and on Fastify',
  );
}

void main();
