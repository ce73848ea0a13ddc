import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  HttpException,
  HttpStatus,
  Injectable,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { SessionError, SessionLimitError } from 'nest-sessions';
import { type Failure, FAILURES, openFailing } from './support/failures.js';
import { onEachPlatform } from '../../support/open-app.js';
import type { PlatformResponse } from '../../support/routes.js';
import type { Refusal } from '../../support/session-routes.js';

onEachPlatform('filters of the app, and an error of sessions', (open) => {
  const failureOf = (title: string): Failure => {
    const failure = FAILURES.find((one) => one.title === title);
    if (failure === undefined) throw new Error(`There is no failure '${title}'`);
    return failure;
  };

  it('that `@Catch(SessionLimitError)` get that error, and no other', async () => {
    @Catch(SessionLimitError)
    class LimitFilter implements ExceptionFilter {
      catch(error: SessionLimitError, host: ArgumentsHost): void {
        const reply = host.switchToHttp().getResponse<PlatformResponse>();
        reply.status(429).send({ filtered: error.code });
      }
    }
    for (const title of ['session.authenticate() over the limit', 'store.create() over the limit']) {
      const { ada } = await openFailing(open, failureOf(title), new LimitFilter());
      const reply = await ada.post('/do/fail');
      expect([reply.status, reply.json()]).toEqual([429, { filtered: 'session_limit_reached' }]);
    }
    const { ada } = await openFailing(open, failureOf('data that is not JSON'), new LimitFilter());
    expect((await ada.post('/do/fail')).status).toBe(500);
  });

  it('that `@Catch(SessionError)` get them all', async () => {
    @Catch(SessionError)
    class AnyFilter implements ExceptionFilter {
      catch(error: SessionError, host: ArgumentsHost): void {
        host.switchToHttp().getResponse<PlatformResponse>().status(418).send({ filtered: error.code });
      }
    }
    for (const failure of FAILURES.filter(({ title }) => title.startsWith('s'))) {
      const { ada } = await openFailing(open, failure, new AnyFilter());
      expect((await ada.post('/do/fail')).json()).toEqual({ filtered: failure.code });
    }
  });

  it.each(FAILURES)(
    "that catch all as Nest's documentation shows keep the status: $title",
    async (failure) => {
      /** @see https://docs.nestjs.com/exception-filters, "Catch everything" */
      @Catch()
      @Injectable()
      class CatchEverythingFilter implements ExceptionFilter {
        readonly adapterHost: { current?: HttpAdapterHost } = {};

        catch(exception: unknown, host: ArgumentsHost): void {
          const context = host.switchToHttp();
          const status =
            exception instanceof HttpException ? exception.getStatus() : HttpStatus.INTERNAL_SERVER_ERROR;
          const body = { statusCode: status, timestamp: new Date(0).toISOString() };
          this.adapterHost.current?.httpAdapter.reply(context.getResponse<object>(), body, status);
        }
      }
      const filter = new CatchEverythingFilter();
      const { app, ada } = await openFailing(open, failure, filter);
      filter.adapterHost.current = app.app.get(HttpAdapterHost);
      const reply = await ada.post('/do/fail');
      expect([reply.status, reply.json<Refusal>().statusCode]).toEqual([failure.status, failure.status]);
      expect(reply.headers['retry-after']).toBe(failure.status === 503 ? '5' : undefined);
    },
  );
});
