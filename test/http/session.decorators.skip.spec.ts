import { Controller, Get, Post, type ExecutionContext, type INestApplication } from '@nestjs/common';
import { RequireAuth, Session, SessionGuard, sessionOf, SkipSession, SkipTouch } from 'nest-sessions';
import { onEachPlatform } from '../support/open-app.js';
import type { TestSession } from '../support/routes.js';
import { BASICS, refusal, seenBy } from '../support/session-routes.js';

@Controller('skip')
class SkipController {
  @Get('health')
  @SkipSession()
  health(): object {
    return { ok: true };
  }

  @Get('confused')
  @SkipSession()
  confused(@Session() session: TestSession): object {
    return { id: session.id };
  }

  @Get('contradiction')
  @SkipSession()
  @RequireAuth()
  contradiction(): object {
    return { ok: true };
  }

  @Get('poll')
  @SkipTouch()
  poll(@Session() session: TestSession): object {
    return { userId: session.userId };
  }

  @Post('background')
  @SkipTouch()
  background(@Session() session: TestSession): void {
    session.data['synced'] = true;
  }
}

@Controller('quiet')
@SkipSession()
class QuietController {
  @Get('health')
  health(): object {
    return { ok: true };
  }
}

const controllers = [SkipController, QuietController];

onEachPlatform('@SkipSession()', (open) => {
  it.each(['/skip/health', '/quiet/health'])(
    'asks storage nothing, and works while it is down: %s',
    async (path) => {
      const { browser, storage } = await open({ controllers, routes: BASICS });
      const ada = browser();
      await ada.post('/do/in');
      storage.forget();
      storage.goDown();
      const reply = await ada.get(path);
      expect([reply.status, reply.json(), reply.setCookies]).toEqual([200, { ok: true }, []]);
      expect(storage.calls).toEqual([]);
      expect((await ada.get('/do/see')).status).toBe(503);
    },
  );

  it('says so when `@Session()` is used beside it', async () => {
    const { browser, log } = await open({ controllers });
    const reply = await browser().get('/skip/confused');
    expect(reply.status).toBe(500);
    expect(log.lines.map(({ message }) => message).join('\n')).toContain(
      '@Session() was used where no session is loaded: on a route with @SkipSession()',
    );
  });

  it('refuses everybody beside `@RequireAuth()`', async () => {
    const { browser } = await open({ controllers, routes: BASICS });
    const ada = browser();
    await ada.post('/do/in');
    expect(refusal(await ada.get('/skip/contradiction'))).toEqual({
      status: 401,
      code: 'authentication_required',
    });
  });
});

onEachPlatform('@SkipTouch()', (open) => {
  it('loads the session, and does not count as use', async () => {
    const { browser, clock, store, storage } = await open({ controllers, routes: BASICS });
    const ada = browser();
    await ada.post('/do/in');
    const before = await seenBy(ada);
    clock.advance('1h');
    storage.forget();
    expect((await ada.get('/skip/poll')).json()).toEqual({ userId: 'ada' });
    await store.manager.drain();
    expect(storage.calls).toEqual(['find']);
    clock.advance('23h');
    expect((await ada.get('/skip/poll')).json()).toEqual({ userId: null });
    expect(before.expiresAt).toBe(new Date(clock.now()).toISOString());
  });

  it('does not count as use even when the handler changes data, which is saved', async () => {
    const { browser, clock } = await open({ controllers, routes: BASICS });
    const ada = browser();
    await ada.post('/do/in');
    const before = await seenBy(ada);
    clock.advance('1h');
    await ada.post('/skip/background');
    expect(await seenBy(ada)).toEqual({ ...before, data: { synced: true } });
  });

  it('leaves other routes as they are: their use is recorded, once per interval', async () => {
    const { browser, clock, store, storage } = await open({
      controllers,
      routes: BASICS,
      options: { touchInterval: '5m' },
    });
    const ada = browser();
    await ada.post('/do/in');
    clock.advance('1h');
    storage.forget();
    for (let i = 0; i < 3; i++) {
      await seenBy(ada);
      await store.manager.drain();
    }
    expect(storage.calls.filter((call) => call === 'touch')).toHaveLength(1);
  });
});

/** A context as a microservice's controller has it. */
function rpcContext(controller: new () => object, method: string): ExecutionContext {
  const handler: unknown = Reflect.get(controller.prototype as object, method);
  const message = { pattern: 'message' };
  return {
    getType: () => 'rpc',
    getClass: () => controller,
    getHandler: () => handler,
    getArgs: () => [message],
    getArgByIndex: () => message,
    switchToHttp: () => ({ getRequest: () => message, getResponse: () => ({}), getNext: () => undefined }),
    switchToRpc: () => ({ getData: () => message, getContext: () => ({}) }),
    switchToWs: () => ({}),
  } as unknown as ExecutionContext;
}

async function admission(app: INestApplication, context: ExecutionContext): Promise<unknown> {
  return app.get(SessionGuard).canActivate(context);
}

onEachPlatform('outside HTTP', (open) => {
  it('`sessionOf()` is null, and routes are open', async () => {
    const { app } = await open({ controllers });
    const context = rpcContext(SkipController, 'poll');
    await expect(admission(app, context)).resolves.toBe(true);
    expect(sessionOf(context)).toBeNull();
  });

  it('`@RequireAuth()` refuses; `requireAuth` is not for messages between services', async () => {
    const closed = await open({ controllers });
    const context = rpcContext(SkipController, 'contradiction');
    await expect(admission(closed.app, context)).resolves.toBe(false);
    const all = await open({ controllers, options: { requireAuth: true } });
    const other = rpcContext(SkipController, 'poll');
    await expect(admission(all.app, other)).resolves.toBe(true);
  });
});
