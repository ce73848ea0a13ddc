/**
 * An app as users write it, checked by `types.spec.ts` under the settings of Nest's own starter. It is compiled, never
 * run. What must not compile has `@ts-expect-error`.
 */
import { Body, Controller, type ExecutionContext, Get, Injectable, Module, Post } from '@nestjs/common';
import {
  Clock,
  RequireAuth,
  Session,
  type SessionData,
  SessionModule,
  sessionOf,
  type SessionOptions,
  type SessionSettings,
  type SessionSettingsFactory,
  type SessionToken,
  UserId,
} from 'nest-sessions';
import { ManualClock, MemorySessionBackend } from 'nest-sessions/testing';
import { expectType } from './expect-type.js';

interface Item {
  sku: string;
  count: number;
}

declare module 'nest-sessions' {
  interface SessionData {
    basket?: Item[];
    locale?: 'en' | 'de';
  }
}

interface WizardData {
  step: number;
}

@Controller()
export class ShopController {
  // Decorator and type under one name: with two, decorated signatures would fail with TS1272.
  @Post('basket')
  async add(@Body() item: Item, @Session() session: Session): Promise<number> {
    const count = await session.update((data) => (data.basket ??= []).push(item));
    expectType<number>()(count);
    expectType<Item[] | undefined>()(session.data.basket);
    expectType<'en' | 'de' | undefined>()(session.get('locale'));
    expectType<Item[] | undefined>()(await session.takeOnce('basket'));
    session.set('locale', 'de');
    // @ts-expect-error not one of the locales
    session.set('locale', 'fr');
    // @ts-expect-error no such key
    session.get('baskte');
    // @ts-expect-error no such key
    session.data.baskte = [];
    // @ts-expect-error a public id is read-only
    session.id = 'mine';
    return count;
  }

  @Get('basket')
  list(@Session('basket') basket: Item[] | undefined): number {
    return basket?.length ?? 0;
  }

  @Post('wizard')
  next(@Session() session: Session<WizardData>): void {
    session.data.step += 1;
    expectType<number>()(session.data.step);
    // @ts-expect-error of another session type
    session.data.basket = [];
  }

  @Post('login')
  async login(@Session() session: Session): Promise<void> {
    await session.authenticate('ada', { remember: true, data: { locale: 'en' }, notAfter: new Date() });
    const form: { remember?: string | null } = {};
    await session.authenticate('ada', { remember: form.remember });
    // @ts-expect-error neither a form nor JSON says so
    await session.authenticate('ada', { remember: 1 });
    await session.authenticate(42);
    await session.authenticate(42n);
    // @ts-expect-error not an id
    await session.authenticate({ id: 42 });
    // @ts-expect-error no such option
    await session.authenticate('ada', { rememberMe: true });
    expectType<void>()(await session.authenticate('ada'));
    // @ts-expect-error not a transport
    await session.authenticate('ada', { transport: 'url' });
  }

  @Post('token')
  async token(@Session() session: Session): Promise<{ token: string }> {
    const token = await session.authenticate('ada', { transport: 'bearer', data: { locale: 'en' } });
    expectType<SessionToken>()(token);
    expectType<void>()(await session.reauthenticate());
    return { token: token.reveal() };
  }

  @Get('me')
  @RequireAuth({ within: '10m' })
  me(@UserId() userId: string): string {
    return userId;
  }
}

/** In a guard. */
export function userOf(context: ExecutionContext): string | null {
  return sessionOf(context)?.userId ?? null;
}

const options: SessionOptions = {
  key: ['a', Buffer.alloc(32)],
  ttl: '24h',
  maxPerUser: false,
  cookie: { sameSite: 'strict', domain: 'example.com' },
  cleanup: { cron: '0 3 * * *' },
  mount: 'middleware',
  csrf: { origins: ['https://admin.example.com'] },
  transport: ['cookie', 'bearer'],
  onClientChange: 'notify',
  passportUserId: (user: { sub: string }) => user.sub,
  meta: (request: { headers: Record<string, unknown> }) => ({ country: request.headers['cf-ipcountry'] }),
};

@Module({ imports: [SessionModule.forRoot(options)] })
export class AppModule {}

SessionModule.forRoot({ key: 'k', backend: MemorySessionBackend, clock: new ManualClock(0) });
SessionModule.forRoot({ key: 'k', clock: { useFactory: () => new ManualClock(0) } });
// @ts-expect-error no such option
SessionModule.forRoot({ key: 'k', maxUsers: 5 });
// @ts-expect-error not a number of sessions
SessionModule.forRoot({ key: 'k', maxPerUser: '5' });
// @ts-expect-error not an answer to the limit
SessionModule.forRoot({ key: 'k', onLimit: 'block' });
// @ts-expect-error spelled in lower case
SessionModule.forRoot({ key: 'k', cookie: { sameSite: 'Lax' } });
// @ts-expect-error the cookie is always HttpOnly
SessionModule.forRoot({ key: 'k', cookie: { httpOnly: false } });
// @ts-expect-error not a place to mount at
SessionModule.forRoot({ key: 'k', mount: 'interceptor' });
SessionModule.forRoot({ key: 'k', csrf: false });
// @ts-expect-error it is on by default
SessionModule.forRoot({ key: 'k', csrf: true });
// @ts-expect-error not a transport
SessionModule.forRoot({ key: 'k', transport: ['cookie', 'url'] });
// @ts-expect-error not a reaction
SessionModule.forRoot({ key: 'k', onClientChange: 'log' });
// @ts-expect-error gives no id
SessionModule.forRoot({ key: 'k', passportUserId: (user: { admin: boolean }) => user.admin });
// @ts-expect-error not a backend
SessionModule.forRoot({ key: 'k', backend: ManualClock });
// @ts-expect-error not a clock
SessionModule.forRoot({ key: 'k', clock: new Date() });

@Injectable()
class ConfigService {
  key = 'k';
}

@Injectable()
class Settings implements SessionSettingsFactory {
  createSessionOptions(): SessionSettings {
    return { key: 'k' };
  }
}

@Injectable()
class ClockAtZero extends Clock {
  now(): number {
    return 0;
  }
}

SessionModule.forRootAsync({ useClass: Settings, dataSource: 'sessions' });
SessionModule.forRoot({ dataSource: { type: 'postgres', url: 'postgres://db/app', poolSize: 10 } });
// @ts-expect-error options name the type of the database
SessionModule.forRoot({ dataSource: { url: 'postgres://db/app' } });
SessionModule.forRootAsync({ useExisting: Settings, imports: [AppModule], clock: ClockAtZero });
SessionModule.forRootAsync({
  inject: [ConfigService, { token: 'LIMIT', optional: true }],
  useFactory: (config: ConfigService, limit?: number) => ({ key: config.key, maxPerUser: limit }),
});
SessionModule.forRootAsync({
  inject: [ConfigService],
  useFactory: async (config: ConfigService) => ({ key: config.key, ttl: '1h', mount: 'middleware' }),
});
SessionModule.forRootAsync({
  inject: [ConfigService],
  useFactory: (config: ConfigService) => ({ key: 'k', dataSource: { type: 'postgres', url: config.key } }),
});
SessionModule.forRootAsync({ useFactory: async () => ({ key: 'k', dataSource: 'sessions' }) });
// @ts-expect-error options name the type of the database
SessionModule.forRootAsync({ useFactory: () => ({ key: 'k', dataSource: { url: 'postgres://db/app' } }) });
// @ts-expect-error the factory returns no options
SessionModule.forRootAsync({ useFactory: () => 'key' });
// @ts-expect-error of the wrong type
SessionModule.forRootAsync({ useFactory: () => ({ ttl: true }) });
// @ts-expect-error makes no settings
SessionModule.forRootAsync({ useClass: ConfigService });
// @ts-expect-error belongs into what the factory returns
SessionModule.forRootAsync({ useFactory: () => ({ key: 'k' }), ttl: '1h' });

expectType<Item[] | undefined>()(({} as SessionData).basket);
