import { Controller, Get } from '@nestjs/common';
import type { Server } from 'node:http';
import { Session, SessionStore } from 'nest-sessions';
import { ManualClock, MemorySessionBackend, signIn } from 'nest-sessions/testing';
import { getInProcess } from './in-process.js';
import { KEY, openApp, type Platform, START, type TestApp } from '../../support/open-app.js';

@Controller('fuzz')
class FuzzController {
  @Get()
  who(@Session() session: Session): { userId: string | null } {
    return { userId: session.userId };
  }
}

/** Request headers, as no client needs to have sent them. */
export type Headers = Readonly<Record<string, string>>;

/** What an app answers, driven without a socket: any string can be a header. */
export interface Answer {
  readonly status: number;
  readonly userId: string | null;
  readonly setsCookie: boolean;
}

/** Tokens, by what they are worth. */
export interface Tokens {
  /** Led to a session, as a cookie. */
  readonly cookie: string;
  readonly bearer: string;
  /** Genuine in every way, but for sessions that have ended, or of an app with another key. */
  readonly others: readonly string[];
}

/** An app that accepts both transports, with somebody signed in by each. */
export interface FuzzedApp extends TestApp {
  readonly tokens: Tokens;
  readonly ask: (headers: Headers) => Promise<Answer>;
}

export async function openFuzzed(platform: Platform): Promise<FuzzedApp> {
  const clock = new ManualClock(START);
  const opened = await openApp(platform, {
    clock,
    controllers: [FuzzController],
    options: { transport: ['cookie', 'bearer'], onClientChange: 'revoke', maxPerUser: false },
  });
  const { app, store, storage } = opened;
  const bearerOf = async (user: string): Promise<string> =>
    (await signIn(app, user, { transport: 'bearer' })).authorization.slice('Bearer '.length);
  const cookieOf = async (user: string): Promise<string> => (await store.create({}, user)).token.reveal();
  const foreign = new SessionStore(new MemorySessionBackend(), { key: Buffer.alloc(32, 'another'), clock });
  const twin = new SessionStore(new MemorySessionBackend(), { key: KEY, clock });
  const others = [
    await cookieOf('gone'),
    await bearerOf('gone'),
    (await foreign.create({}, 'ada')).token.reveal(),
    (await twin.create({}, 'ada')).token.reveal(),
  ];
  await store.destroyAllForUser('gone');
  const tokens = { cookie: await cookieOf('ada'), bearer: await bearerOf('grace'), others };
  storage.forget();
  const server = app.getHttpServer() as Server;
  const ask = async (headers: Headers): Promise<Answer> => {
    const { status, head, body } = await getInProcess(server, '/fuzz', headers);
    const userId = status === 200 ? (JSON.parse(body) as Answer).userId : null;
    return { status, userId, setsCookie: /^set-cookie:/im.test(head) };
  };
  return { ...opened, tokens, ask };
}
