import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  HttpException,
  Injectable,
  type NestInterceptor,
  Req,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, BaseExceptionFilter } from '@nestjs/core';
import { from, mergeMap, type Observable, tap } from 'rxjs';
import { RequireAuth, Session, sessionOf, UserId } from 'nest-sessions';
import { onEachPlatform, type OpenApp } from '../support/open-app.js';
import type { PlatformResponse, TestData, TestSession } from '../support/routes.js';
import { BASICS } from '../support/session-routes.js';

/** Each of these looks at the session, and those that may change it do. */
const touch = (source: object): void => {
  const session = sessionOf<TestData>(source);
  if (session) session.data.count = (session.data.count ?? 0) + 1;
};

@Injectable()
class TouchingGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    touch(context);
    return true;
  }
}

@Injectable()
class ReadingGuard implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    await Promise.resolve();
    return sessionOf(context)?.isAuthenticated === true;
  }
}

@Injectable()
class TouchingInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    touch(context);
    return from(Promise.resolve()).pipe(
      mergeMap(() => next.handle()),
      tap({ next: () => touch(context), error: () => touch(context) }),
    );
  }
}

@Catch()
class TouchingFilter extends BaseExceptionFilter implements ExceptionFilter {
  override catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    sessionOf(http.getRequest<object>());
    const status = error instanceof HttpException ? error.getStatus() : 500;
    http.getResponse<PlatformResponse>().status(status).send('failed');
  }
}

@Controller('busy')
@RequireAuth()
@UseGuards(TouchingGuard, ReadingGuard)
@UseInterceptors(TouchingInterceptor)
@UseFilters(TouchingFilter)
class BusyController {
  @Get('change')
  @RequireAuth({ within: '1h' })
  @UseGuards(TouchingGuard)
  @UseInterceptors(TouchingInterceptor)
  change(
    @Session() session: TestSession,
    @Session() same: TestSession,
    @Session('count') count: number,
    @UserId() userId: string,
    @Req() request: object,
  ): object {
    touch(request);
    return { isSame: session === same, count, userId };
  }

  @Get('fail')
  fail(@Session() session: TestSession): never {
    session.flash('info', 'failed');
    throw new Error('broken');
  }
}

@Controller('quiet')
@RequireAuth()
@UseGuards(ReadingGuard)
class QuietController {
  @Get()
  @UseGuards(ReadingGuard)
  quiet(@Session() session: TestSession, @UserId() userId: string): boolean {
    return session.userId === userId;
  }
}

const middleware = (request: object, _: unknown, next: () => void): void => {
  sessionOf(request);
  next();
};

const openBusy = async (open: OpenApp, mount: 'guard' | 'middleware') => {
  const app = await open({
    controllers: [BusyController, QuietController],
    providers: [
      { provide: APP_GUARD, useClass: ReadingGuardOrOpen },
      { provide: APP_FILTER, useValue: new TouchingFilter() },
    ],
    options: { mount },
    routes: BASICS,
    prepare: (made) => void made.use(middleware),
  });
  const ada = app.browser();
  await ada.post('/do/in');
  app.storage.forget();
  return { ...app, ada };
};

@Injectable()
class ReadingGuardOrOpen implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return sessionOf(context) !== null;
  }
}

onEachPlatform('a request, whatever looks at its session', (open) => {
  it.each(['guard', 'middleware'] as const)('costs one load and one save, mounted as %s', async (mount) => {
    const { ada, storage } = await openBusy(open, mount);
    const reply = await ada.get('/busy/change');
    expect(reply.json()).toMatchObject({ isSame: true, userId: 'ada' });
    expect(storage.calls).toEqual(['find', 'save']);
  });

  it.each(['guard', 'middleware'] as const)('costs no more when it fails, mounted as %s', async (mount) => {
    const { ada, storage } = await openBusy(open, mount);
    expect((await ada.get('/busy/fail')).status).toBe(500);
    expect(storage.calls).toEqual(['find', 'save']);
  });

  it.each(['guard', 'middleware'] as const)(
    'costs one load when all only read, mounted as %s',
    async (mount) => {
      const { ada, storage } = await openBusy(open, mount);
      expect((await ada.get('/quiet')).json()).toBe(true);
      expect(storage.calls).toEqual(['find']);
    },
  );

  it.each(['guard', 'middleware'] as const)('costs nothing without a token, mounted as %s', async (mount) => {
    const { browser, storage } = await openBusy(open, mount);
    expect((await browser().get('/busy/change')).status).toBe(401);
    expect(storage.calls).toEqual([]);
  });

  it.each(['guard', 'middleware'] as const)(
    'costs one insert when it stores a first time, mounted as %s',
    async (mount) => {
      const { browser, storage } = await openBusy(open, mount);
      await browser().post('/do/set', { theme: 'dark' });
      expect(storage.calls).toEqual(['insert']);
    },
  );
});
