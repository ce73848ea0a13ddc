import 'reflect-metadata';
import { Controller, type INestApplication, type MessageEvent, Module, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { RequireAuth, Session, SessionModule, SessionStore, UserId } from 'nest-sessions';
import { MemorySessionBackend, signIn } from 'nest-sessions/testing';
import { concatMap, finalize, type Observable, Subject } from 'rxjs';
import './notes';

const news = new Subject<string>();
const unsubscribed: string[] = [];

@Controller()
class NewsController {
  @Sse('news')
  @RequireAuth()
  news(@UserId() userId: string, @Session() session: Session): Observable<MessageEvent> {
    return news.pipe(
      concatMap(async (text) => {
        const count = await session.update((data) => (data.notes ??= []).push(text));
        return { data: { userId, text, count } };
      }),
      finalize(() => unsubscribed.push(userId)),
    );
  }
}

@Module({
  imports: [SessionModule.forRoot({ key: randomBytes(32), backend: MemorySessionBackend })],
  controllers: [NewsController],
})
class AppModule {}

/** A stream has the session of its request, saves what its events change, and ends with it. */
async function check(app: INestApplication): Promise<void> {
  await app.listen(0, '127.0.0.1');
  const url = `${await app.getUrl()}/news`;
  assert.equal((await fetch(url)).status, 401);
  const store = app.get(SessionStore);
  const { cookie, session } = await signIn(app, 'ada');
  const { cookie: other } = await signIn(app, 'bob');
  unsubscribed.length = 0;

  const [ofAda, ofBob] = await Promise.all([cookie, other].map((Cookie) => open(url, Cookie)));
  news.next('first');
  assert.match(await ofAda.next(), /data: {"userId":"ada","text":"first","count":1}/);
  assert.match(await ofBob.next(), /data: {"userId":"bob","text":"first","count":1}/);

  await store.destroy(session.id);
  assert.equal(await ofAda.rest(), '', 'the stream has ended');
  assert.deepEqual(unsubscribed, ['ada']);
  assert.equal((await fetch(url, { headers: { Cookie: cookie } })).status, 401);

  news.next('second');
  assert.match(await ofBob.next(), /data: {"userId":"bob","text":"second","count":2}/);
  await ofBob.cancel();
  await app.close();
}

/** A stream whose headers have come, so that the handler has been called. */
async function open(url: string, Cookie: string) {
  const response = await fetch(url, { headers: { Cookie } });
  assert.equal(response.status, 200);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  return {
    /** The next event. */
    next: async (): Promise<string> => {
      for (let text = ''; ;) {
        const { done, value } = await reader.read();
        if (done) return text;
        if ((text += value).includes('data: ') && text.endsWith('\n\n')) return text;
      }
    },
    /** What comes until it ends. */
    rest: async (): Promise<string> => {
      for (let text = ''; ;) {
        const { done, value } = await reader.read();
        if (done) return text;
        text += value;
      }
    },
    cancel: () => reader.cancel(),
  };
}

async function main(): Promise<void> {
  const options = { logger: ['error', 'warn'] as ('error' | 'warn')[], abortOnError: false };
  await check(await NestFactory.create(AppModule, new ExpressAdapter(), options));
  await check(await NestFactory.create(AppModule, new FastifyAdapter(), options));
  console.log('streams of events have the session and end with it, on Express and on Fastify');
}

void main();
