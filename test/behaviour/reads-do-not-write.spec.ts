import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  UseGuards,
} from '@nestjs/common';
import { Session, sessionOf, SkipTouch, UserId } from 'nest-sessions';
import { onEachPlatform, type OpenApp } from '../support/open-app.js';
import type { TestSession } from '../support/routes.js';
import { barrier, BASICS, seenBy } from '../support/session-routes.js';
import { rowsOf } from '../support/storage.js';

@Injectable()
class LookingGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return sessionOf(context)?.isAuthenticated === true;
  }
}

@Controller('looks')
@UseGuards(LookingGuard, LookingGuard)
class LookingController {
  @Get()
  @UseGuards(LookingGuard)
  look(
    @Session() session: TestSession,
    @Session('theme') theme: unknown,
    @Session() again: TestSession,
    @UserId() userId: string,
  ): object {
    return { userId, theme, same: session === again };
  }

  @Get('poll')
  @SkipTouch()
  poll(@UserId() userId: string): string {
    return userId;
  }
}

async function openLooking(open: OpenApp) {
  const meet = barrier(10);
  const app = await open({
    controllers: [LookingController],
    options: { ttl: '1h', touchInterval: '5m' },
    routes: {
      ...BASICS,
      touchData: ({ session }) => [
        session.get('theme'),
        session.has('x'),
        session.flashes(),
        session.remove('x'),
      ],
      list: ({ session }) => session.list(),
      meet,
      undone: ({ session }) => {
        session.data.theme = 'dark';
        delete session.data.theme;
        session.set('count', 1);
        session.take('count');
      },
    },
  });
  const ada = app.browser();
  await ada.post('/do/in');
  app.storage.forget();
  return { ...app, ada };
}

onEachPlatform('rule 5, reads do not write', (open) => {
  it('costs one find per request, whatever number of guards and decorators look', async () => {
    const { ada, storage } = await openLooking(open);
    expect((await ada.get('/looks')).json()).toEqual({ userId: 'ada', same: true });
    expect(storage.calls).toEqual(['find']);
  });

  it.each(['/do/data', '/do/see', '/do/touchData', '/do/undone', '/raw/missing', '/plain'])(
    'writes nothing for %s',
    async (path) => {
      const { ada, storage } = await openLooking(open);
      expect((await ada.get(path)).setCookies).toEqual([]);
      expect(storage.calls).toEqual(['find']);
    },
  );

  it('makes no row and no cookie for a visitor who stores nothing', async () => {
    const { browser, storage } = await openLooking(open);
    const visitor = browser();
    for (const path of [
      '/do/data',
      '/do/see',
      '/do/touchData',
      '/do/undone',
      '/do/list',
      '/do/out',
      '/plain',
    ])
      expect((await visitor.get(path)).setCookies).toEqual([]);
    expect(storage.calls).toEqual([]);
    expect(rowsOf(storage)).toHaveLength(1);
  });

  it('records use at most once per interval', async () => {
    const { ada, storage, clock, store } = await openLooking(open);
    const touches = async (after: number, requests: number) => {
      clock.advance(after);
      storage.forget();
      for (let n = 0; n < requests; n++) {
        await ada.get('/do/see');
        await store.manager.drain();
      }
      return storage.calls.filter((call) => call === 'touch').length;
    };
    expect(await touches(299_999, 3)).toBe(0);
    expect(await touches(1, 3)).toBe(1);
    expect(await touches(299_999, 3)).toBe(0);
    expect(await touches(1, 3)).toBe(1);
  });

  it('records use once for requests that run at the same time', async () => {
    const { ada, storage, clock, store } = await openLooking(open);
    clock.advance('10m');
    await Promise.all(Array.from({ length: 10 }, () => ada.get('/do/meet')));
    await store.manager.drain();
    expect(storage.calls.filter((call) => call === 'touch')).toHaveLength(1);
  });

  it('records use with the data when there is data to save, and not once more', async () => {
    const { ada, storage, clock } = await openLooking(open);
    clock.advance('10m');
    await ada.post('/do/set', { theme: 'dark' });
    expect(storage.calls).toEqual(['find', 'save']);
    expect((await seenBy(ada)).lastActiveAt).toBe(new Date(clock.now()).toISOString());
  });

  it('does not count a route with @SkipTouch as use', async () => {
    const { ada, storage, clock } = await openLooking(open);
    clock.advance('10m');
    expect((await ada.get('/looks/poll')).text).toBe('ada');
    expect(storage.calls).toEqual(['find']);
  });

  it('serves a request whose touch fails: it fails open, with a warning', async () => {
    const { ada, storage, clock, store, log } = await openLooking(open);
    clock.advance('10m');
    storage.fail('touch');
    expect((await ada.get('/do/see')).status).toBe(200);
    await store.manager.drain();
    expect(log.sessionWarnings).toEqual([expect.stringContaining('not recorded')]);
  });

  it('does not wait for the touch: a hung one keeps no response', async () => {
    const { ada, storage, clock, store } = await openLooking(open);
    clock.advance('10m');
    const held = storage.hold('touch');
    expect((await ada.get('/do/see')).status).toBe(200);
    await held.reached;
    held.release();
    await store.manager.drain();
  });
});
