import {
  type CanActivate,
  type ExecutionContext,
  Injectable,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type PipeTransform,
  Scope,
  type NestInterceptor,
  type CallHandler,
} from '@nestjs/common';
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  currentSession,
  RequireAuth,
  Session,
  sessionOf,
  SkipSession,
  SkipTouch,
  socketSession,
  UserId,
} from 'nest-sessions';
import { interval, map, type Observable, take } from 'rxjs';
import { type OpenApp, onEachPlatform, type TestApp } from '../../support/open-app.js';
import type { TestData, TestSession } from '../../support/routes.js';
import { BASICS, dataOf } from '../../support/session-routes.js';
import {
  type Answer,
  closeSockets,
  codeOf,
  cookieOf,
  SOCKET_PLATFORMS,
  SOCKETS,
} from '../../support/sockets.js';

afterEach(closeSockets);

const answer = (data: unknown): Answer => ({ event: 'answer', data });

@Injectable()
class Ledger {
  async whose(): Promise<unknown> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return currentSession()?.userId;
  }
}

let seen: [by: string, user: unknown][] = [];
beforeEach(() => (seen = []));

@Injectable()
class NotingGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    seen.push(['guard', sessionOf(context)?.userId], ['guard', currentSession()?.userId]);
    return true;
  }
}

@Injectable()
class NotingInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    seen.push(['interceptor', sessionOf(context)?.userId]);
    return next
      .handle()
      .pipe(map((value: unknown) => (seen.push(['answer', currentSession()?.userId]), value)));
  }
}

@Injectable()
class NotingPipe implements PipeTransform {
  transform(value: unknown): unknown {
    seen.push(['pipe', currentSession()?.userId]);
    return value;
  }
}

@WebSocketGateway()
class Gateway {
  constructor(private readonly ledger: Ledger) {}

  handleConnection(client: object): void {
    seen.push(['connected', currentSession()?.userId], ['socket', socketSession(client)?.userId]);
  }

  handleDisconnect(client: object): void {
    seen.push(['gone', socketSession(client)?.userId]);
  }

  @SubscribeMessage('whose')
  async whose(@Session() session: TestSession, @ConnectedSocket() client: object): Promise<Answer> {
    return answer([
      session.userId,
      await this.ledger.whose(),
      sessionOf(client)?.userId,
      currentSession()?.id === session.id,
    ]);
  }

  @UseGuards(NotingGuard)
  @UseInterceptors(NotingInterceptor)
  @UsePipes(NotingPipe)
  @SubscribeMessage('note')
  note(@MessageBody() _body: object): Answer {
    return answer('noted');
  }

  @SubscribeMessage('set')
  set(@Session() session: TestSession, @MessageBody() body: TestData): Answer {
    Object.assign(session.data, body);
    return answer('set');
  }

  @SubscribeMessage('theme')
  theme(@Session('theme') theme: unknown): Answer {
    return answer(theme ?? null);
  }

  @RequireAuth()
  @SubscribeMessage('user')
  user(@UserId() user: string): Answer {
    return answer(user);
  }

  @SubscribeMessage('id')
  id(@UserId() user: string): Answer {
    return answer(user);
  }

  @RequireAuth({ within: '10m' })
  @SubscribeMessage('recent')
  recent(): Answer {
    return answer('recent');
  }

  @SkipSession()
  @SubscribeMessage('skip')
  skip(@ConnectedSocket() client: object): Answer {
    return answer([currentSession(), sessionOf(client)]);
  }

  @SkipTouch()
  @SubscribeMessage('poll')
  poll(): Answer {
    return answer('polled');
  }

  @SubscribeMessage('fail')
  fail(@Session() session: TestSession): never {
    session.data.theme = 'failed';
    throw new Error('of the app');
  }

  @SubscribeMessage('ticks')
  ticks(): Observable<Answer> {
    return interval(1).pipe(
      take(3),
      map(() => answer(currentSession()?.userId)),
    );
  }

  @SubscribeMessage('in')
  async in(@Session() session: TestSession): Promise<Answer> {
    await session.authenticate('bob');
    return answer('in');
  }

  @SubscribeMessage('rotate')
  async rotate(@Session() session: TestSession): Promise<Answer> {
    await session.rotate();
    return answer('rotated');
  }

  @SubscribeMessage('again')
  async again(@Session() session: TestSession): Promise<Answer> {
    await session.reauthenticate();
    return answer('again');
  }

  @SubscribeMessage('count')
  async count(@Session() session: TestSession): Promise<Answer> {
    return answer(await session.update((data) => (data.count = (data.count ?? 0) + 1)));
  }

  @SubscribeMessage('flash')
  flash(@Session() session: TestSession): Answer {
    session.flash('info', 'by socket');
    return answer(session.flashes());
  }
}

@WebSocketGateway()
@Injectable({ scope: Scope.REQUEST })
class ScopedGateway {
  @RequireAuth()
  @SubscribeMessage('whose')
  whose(@UserId() user: string): Answer {
    return answer([user, currentSession()?.userId]);
  }
}

@WebSocketGateway()
class GreetingGateway {
  async handleConnection(): Promise<void> {
    const session = currentSession<TestData>();
    if (session) session.data.theme = 'dark';
    await new Promise((resolve) => setTimeout(resolve, 20));
    const same = currentSession<TestData>();
    if (same) same.data.count = 1;
  }
}

const wait = (holds: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    const look = (): void => (holds() ? resolve() : void setTimeout(look, 2));
    look();
  });

onEachPlatform('messages', (open: OpenApp) => {
  describe.each(SOCKETS)('over %s', (kind) => {
    const { adapt, open: openSocket } = SOCKET_PLATFORMS[kind];

    const start = (): Promise<TestApp> =>
      open({ routes: BASICS, providers: [Gateway, Ledger], prepare: adapt });

    it('have the session of the socket, in handlers and in services', async () => {
      const { browser, port } = await start();
      const socket = await openSocket(port, { cookie: await cookieOf(browser()) });
      expect(await socket.ask('whose')).toEqual(answer(['ada', 'ada', 'ada', true]));
      expect(await socket.ask('ticks')).toEqual(answer('ada'));
      expect([await socket.next(), await socket.next()]).toEqual([answer('ada'), answer('ada')]);
    });

    it('have it in guards, interceptors and pipes, when a client connects, and when it is gone', async () => {
      const { browser, port } = await start();
      const socket = await openSocket(port, { cookie: await cookieOf(browser()) });
      await socket.ask('note');
      socket.hangUp();
      await wait(() => seen.some(([by]) => by === 'gone'));
      expect(seen).toEqual([
        ['connected', 'ada'],
        ['socket', 'ada'],
        ['guard', 'ada'],
        ['guard', 'ada'],
        ['interceptor', 'ada'],
        ['pipe', 'ada'],
        ['answer', 'ada'],
        ['gone', 'ada'],
      ]);
    });

    it('load it once each, and save it before they are answered', async () => {
      const { browser, port, storage } = await start();
      const ada = browser();
      const socket = await openSocket(port, { cookie: await cookieOf(ada) });
      storage.forget();
      expect(await socket.ask('set', { theme: 'dark' })).toEqual(answer('set'));
      expect(storage.calls).toEqual(['find', 'save']);
      expect(await dataOf(ada)).toEqual({ theme: 'dark' });
      await ada.post('/do/set', { theme: 'light' });
      expect(await socket.ask('theme')).toEqual(answer('light'));
      expect(await socket.ask('count')).toEqual(answer(1));
      expect(await socket.ask('flash')).toEqual(answer([{ kind: 'info', text: 'by socket' }]));
    });

    it('save what a handler changed before it threw', async () => {
      const { browser, port } = await start();
      const ada = browser();
      const socket = await openSocket(port, { cookie: await cookieOf(ada) });
      expect(await socket.ask('fail')).toMatchObject({ event: 'exception' });
      expect(await dataOf(ada)).toEqual({ theme: 'failed' });
    });

    it('have it from the first on, however long its look-up takes', async () => {
      const { browser, port, storage } = await start();
      const cookie = await cookieOf(browser());
      storage.slow('find', 30);
      const socket = await openSocket(port, { cookie });
      expect(await socket.ask('user')).toEqual(answer('ada'));
      expect(seen).toEqual([
        ['connected', 'ada'],
        ['socket', 'ada'],
      ]);
    });

    it('have it in gateways of each message', async () => {
      const { browser, port } = await open({ routes: BASICS, providers: [ScopedGateway], prepare: adapt });
      const socket = await openSocket(port, { cookie: await cookieOf(browser()) });
      expect(await socket.ask('whose')).toEqual(answer(['ada', 'ada']));
      expect(codeOf(await (await openSocket(port)).ask('whose'))).toBe('authentication_required');
    });

    it('leave what connecting has changed saved, and nothing in the log', async () => {
      const { browser, port, storage, log } = await open({
        routes: BASICS,
        providers: [GreetingGateway],
        prepare: adapt,
      });
      const ada = browser();
      await openSocket(port, { cookie: await cookieOf(ada) });
      await wait(() => storage.calls.filter((call) => call === 'save').length === 2);
      expect(await dataOf(ada)).toEqual({ theme: 'dark', count: 1 });
      expect(log.lines).toEqual([]);
    });

    it('are refused with a code where a user is needed and there is none', async () => {
      const { port, storage } = await start();
      const socket = await openSocket(port);
      storage.forget();
      expect(await socket.ask('user')).toEqual({
        event: 'exception',
        data: { status: 'error', code: 'authentication_required', message: 'Sign in first' },
      });
      expect(codeOf(await socket.ask('id'))).toBe('authentication_required');
      expect(codeOf(await socket.ask('recent'))).toBe('authentication_required');
      expect(await socket.ask('theme')).toEqual(answer(null));
      expect(await socket.ask('skip')).toEqual(answer([null, null]));
      expect(storage.calls).toEqual([]);
    });

    it('know how long ago the sign-in is', async () => {
      const { browser, port, clock } = await start();
      const socket = await openSocket(port, { cookie: await cookieOf(browser()) });
      expect(await socket.ask('user')).toEqual(answer('ada'));
      expect(await socket.ask('recent')).toEqual(answer('recent'));
      clock.advance('11m');
      expect(codeOf(await socket.ask('recent'))).toBe('reauthentication_required');
    });

    it('cannot do what needs a cookie, and change nothing by it', async () => {
      const { browser, port, store, storage, log } = await start();
      const socket = await openSocket(port, { cookie: await cookieOf(browser()) });
      const anonymous = await openSocket(port);
      storage.forget();
      for (const event of ['in', 'rotate', 'again'])
        expect(codeOf(await socket.ask(event))).toBe('session_conflict');
      expect(codeOf(await anonymous.ask('in'))).toBe('session_conflict');
      expect(codeOf(await anonymous.ask('set', { theme: 'dark' }))).toBe('session_conflict');
      expect(codeOf(await anonymous.ask('flash'))).toBeNull(); // it was read in the same message, so nothing is to be kept
      expect(new Set(storage.calls)).toEqual(new Set(['find']));
      expect(await store.listForUser('ada')).toHaveLength(1);
      expect(log.sessionErrors).toEqual([]);
    });

    it('count as use, unless they say otherwise', async () => {
      const { browser, port, clock, storage, store } = await start();
      const socket = await openSocket(port, { cookie: await cookieOf(browser()) });
      clock.advance('20m');
      storage.forget();
      await socket.ask('poll');
      await socket.ask('user');
      await socket.ask('user');
      await store.manager.drain();
      expect(storage.calls).toEqual(['find', 'find', 'find', 'touch']);
      const [session] = await store.listForUser('ada');
      expect(session?.lastActiveAt.getTime()).toBe(clock.now());
    });
  });
});
