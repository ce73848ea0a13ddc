import {
  type ArgumentsHost,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  HttpException,
  Inject,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestMiddleware,
  type NestModule,
  type PipeTransform,
  Query,
  UseGuards,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import {
  type SessionError,
  SessionGoneError,
  SessionLimitError,
  SessionStore,
  SkipSession,
  toHttpException,
} from 'nest-sessions';
import type { ServerResponse } from 'node:http';
import { onEachPlatform, type OpenApp, type TestApp } from '../support/open-app.js';
import type { PlatformResponse } from '../support/routes.js';
import { BASICS, refusal } from '../support/session-routes.js';
import { OUTAGE } from '../support/storage.js';

/** Somebody else's session, which is not there. */
const GONE = '01J00000000000000000000000';

const misuse = (store: SessionStore): Promise<unknown> => store.rotateToken(GONE);

@Injectable()
class StoreGuard implements CanActivate {
  constructor(@Inject(SessionStore) private readonly store: SessionStore) {}

  async canActivate(): Promise<boolean> {
    return Boolean(await misuse(this.store));
  }
}

@Injectable()
class BadGuard implements CanActivate {
  constructor(@Inject(SessionStore) private readonly store: SessionStore) {}

  async canActivate(): Promise<boolean> {
    return (await this.store.read(7n as unknown as string)) !== null;
  }
}

@Injectable()
class StorePipe implements PipeTransform {
  constructor(@Inject(SessionStore) private readonly store: SessionStore) {}

  transform(): Promise<unknown> {
    return misuse(this.store);
  }
}

@Injectable()
class StoreMiddleware implements NestMiddleware {
  constructor(@Inject(SessionStore) private readonly store: SessionStore) {}

  async use(_request: unknown, _response: unknown, next: () => void): Promise<void> {
    await misuse(this.store);
    next();
  }
}

@Controller('outside')
class OutsideController {
  @Get('guard')
  @UseGuards(StoreGuard)
  guard(): void {}

  @Get('skipped-guard')
  @SkipSession()
  @UseGuards(StoreGuard)
  skippedGuard(): void {}

  @Get('bad')
  @UseGuards(BadGuard)
  bad(): void {}

  @Get('pipe')
  pipe(@Query('n', StorePipe) n: unknown): unknown {
    return n;
  }

  @Get('middleware')
  middleware(): void {}
}

@Module({ controllers: [OutsideController] })
class OutsideModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(StoreMiddleware).forRoutes('outside/middleware');
  }
}

/** Answers on both platforms, also where the platform has not made a response of its own yet. */
function answer(host: ArgumentsHost, status: number, body: object): void {
  const response = host.switchToHttp().getResponse<PlatformResponse & ServerResponse>();
  const raw = response.raw ?? response;
  raw.statusCode = status;
  raw.end(JSON.stringify(body));
}

const PLACES = ['guard', 'skipped-guard', 'pipe', 'middleware'];

async function openOutside(open: OpenApp, ...filters: ExceptionFilter[]) {
  const app: TestApp = await open({
    imports: [OutsideModule],
    providers: filters.map((useValue) => ({ provide: APP_FILTER, useValue })),
    routes: BASICS,
  });
  return app;
}

onEachPlatform('an error of SessionStore outside a handler', (open) => {
  it.each(PLACES)('leaves with its status and its code as JSON: in a %s', async (place) => {
    const { browser } = await openOutside(open);
    const reply = await browser().get(`/outside/${place}`);
    expect(refusal(reply)).toEqual({ status: 401, code: 'session_gone' });
  });

  it.each(PLACES)('has its status for a filter that catches all and asks for it: in a %s', async (place) => {
    @Catch()
    class CatchEverything implements ExceptionFilter {
      catch(error: unknown, host: ArgumentsHost): void {
        const exception = toHttpException(error);
        const status = exception instanceof HttpException ? exception.getStatus() : 500;
        answer(host, status, { statusCode: status });
      }
    }
    const { browser } = await openOutside(open, new CatchEverything());
    expect((await browser().get(`/outside/${place}`)).status).toBe(401);
  });

  it.each(PLACES)('is caught by its own class, and by no other: in a %s', async (place) => {
    @Catch(SessionLimitError)
    class LimitFilter implements ExceptionFilter {
      catch(error: SessionError, host: ArgumentsHost): void {
        answer(host, 429, { filtered: error.code });
      }
    }

    @Catch(SessionGoneError)
    class GoneFilter implements ExceptionFilter {
      catch(error: SessionError, host: ArgumentsHost): void {
        answer(host, 410, { filtered: error.code });
      }
    }
    const { browser } = await openOutside(open, new LimitFilter(), new GoneFilter());
    const reply = await browser().get(`/outside/${place}`);
    expect([reply.status, reply.json()]).toEqual([410, { filtered: 'session_gone' }]);
  });

  it('that is a 500 is in the log, with its reason and the route', async () => {
    const { browser, log } = await openOutside(open);
    expect((await browser().get('/outside/bad')).status).toBe(500);
    expect(log.sessionErrors).toEqual([
      expect.stringContaining('GET /outside/bad: SessionDataError: Invalid session id'),
    ]);
  });

  it('is a 503 during an outage, with Retry-After and without the words of the driver', async () => {
    const { browser, storage } = await openOutside(open);
    storage.goDown();
    for (const place of PLACES) {
      const reply = await browser().get(`/outside/${place}`);
      expect(refusal(reply)).toEqual({ status: 503, code: 'session_store_unavailable' });
      expect(reply.headers['retry-after']).toBe('5');
      expect(reply.text).not.toContain('db-7');
    }
  });
});

onEachPlatform('SessionStore, injected', (open) => {
  it('throws plain errors of its own, with all details, for whoever does not answer requests', async () => {
    const { store, storage } = await openOutside(open);
    await expect(misuse(store)).rejects.toMatchObject({ name: 'SessionGoneError', code: 'session_gone' });
    await expect(misuse(store)).rejects.not.toBeInstanceOf(HttpException);
    storage.goDown();
    await expect(store.read(GONE)).rejects.toThrow(OUTAGE);
  });
});
