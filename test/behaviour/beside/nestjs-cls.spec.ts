import {
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type MiddlewareConsumer,
  Module,
  type NestInterceptor,
  type NestModule,
  type Type,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Agent } from 'node:http';
import { Observable } from 'rxjs';
import { currentSession } from 'nest-sessions';
import type { Browser } from '../../support/browser.js';
import { onEachPlatform, type TestApp } from '../../support/open-app.js';
import { BASICS } from '../../support/session-routes.js';

/*
 * Jest on Node 20 does not load nestjs-cls 6, a CommonJS package that requires the ESM of Nest. These do what its
 * `ClsMiddleware`, `ClsGuard` and `ClsInterceptor` do with AsyncLocalStorage.
 */

interface Asking {
  readonly headers: Readonly<Record<string, unknown>>;
}

/** Who asks, in the context of the request. */
const asker = new AsyncLocalStorage<unknown>();
const askerOf = (host: ExecutionContext): unknown =>
  host.switchToHttp().getRequest<Asking>().headers['x-asker'];

class ClsGuard implements CanActivate {
  // oxlint-disable-next-line typescript/require-await
  async canActivate(host: ExecutionContext): Promise<boolean> {
    asker.enterWith(askerOf(host));
    return true;
  }
}

class ClsInterceptor implements NestInterceptor {
  intercept(host: ExecutionContext, next: CallHandler): Observable<unknown> {
    return new Observable((subscriber) =>
      asker.run(askerOf(host), () => next.handle().subscribe(subscriber)),
    );
  }
}

@Module({ providers: [{ provide: APP_GUARD, useClass: ClsGuard }] })
class ByGuard {}

@Module({ providers: [{ provide: APP_INTERCEPTOR, useClass: ClsInterceptor }] })
class ByInterceptor {}

@Module({})
class ByMiddleware implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    const enter = ({ headers }: Asking, _response: unknown, next: () => void): void =>
      asker.run(headers['x-asker'], next);
    consumer.apply(enter).forRoutes('{*path}');
  }
}

const BY: Readonly<Record<'middleware' | 'guard' | 'interceptor', Type>> = {
  middleware: ByMiddleware,
  guard: ByGuard,
  interceptor: ByInterceptor,
};

onEachPlatform('nestjs-cls', (open) => {
  const agents: Agent[] = [];
  afterEach(() => agents.splice(0).forEach((agent) => agent.destroy()));

  const openWith = (by: keyof typeof BY, mount: 'guard' | 'middleware'): Promise<TestApp> =>
    open({
      imports: [BY[by]],
      options: { mount, currentSession: true },
      routes: {
        ...BASICS,
        asker: async ({ session }) => {
          const first = asker.getStore();
          session.data.theme = 'seen';
          await session.save();
          return { first, later: asker.getStore(), user: currentSession()?.userId ?? null };
        },
      },
    });

  /** What handlers find of visitors with and without a session, in turns on one connection and at once on others. */
  async function contextsOf({ browser }: TestApp): Promise<unknown[]> {
    const member = browser();
    await member.post('/do/in?user=ada');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    const ask = async (who: Browser, name: string, on?: Agent): Promise<unknown> => {
      const reply = await who.send('GET', '/do/asker', { headers: { 'x-asker': name }, agent: on });
      return { own: name, ...reply.json<object>() };
    };
    const found = [];
    for (const turn of [1, 2]) {
      found.push(await ask(browser(), `visitor ${turn}`, agent), await ask(member, `member ${turn}`, agent));
    }
    const names = Array.from({ length: 6 }, (_, index) => `member at once ${index}`);
    return [...found, ...(await Promise.all(names.map((name) => ask(member, name))))];
  }

  /** Whose session `currentSession()` is: of visitors, nobody's. */
  const whose = (found: readonly Record<string, unknown>[]): unknown[] => found.map(({ user }) => user);
  const MEMBERS_AND_VISITORS = [null, 'ada', null, 'ada', ...Array.from({ length: 6 }, () => 'ada')];

  const isOwn = ({ own, first, later }: Record<string, unknown>): boolean => first === own && later === own;

  it.each([
    ['middleware', 'guard'],
    ['middleware', 'middleware'],
    ['interceptor', 'guard'],
    ['interceptor', 'middleware'],
    ['guard', 'middleware'],
  ] as const)("by its %s gives handlers their own context with mount: '%s'", async (by, mount) => {
    const found = (await contextsOf(await openWith(by, mount))) as Record<string, unknown>[];
    expect(found).toHaveLength(10);
    expect(found.filter((one) => !isOwn(one))).toEqual([]);
    expect(whose(found)).toEqual(MEMBERS_AND_VISITORS);
  });

  it("by its guard does not behind ours, which waits for storage with mount: 'guard', and is warned of", async () => {
    const opened = await openWith('guard', 'guard');
    const found = (await contextsOf(opened)) as Record<string, unknown>[];
    const members = found.filter(({ own }) => String(own).startsWith('member'));
    expect(members).toHaveLength(8);
    expect(members.filter(isOwn)).toEqual([]);
    expect(whose(found)).toEqual(MEMBERS_AND_VISITORS); // ours is not lost
    expect(opened.log.sessionWarnings.filter((line) => line.includes('nestjs-cls'))).toEqual([
      expect.stringContaining("`mount: 'middleware'`"),
    ]);
  });

  it.each([
    ['middleware', 'guard'],
    ['guard', 'middleware'],
  ] as const)("is not warned of by its %s with mount: '%s'", async (by, mount) => {
    const { log } = await openWith(by, mount);
    expect(log.sessionWarnings.filter((line) => line.includes('nestjs-cls'))).toEqual([]);
  });
});
