import type { HttpAdapterHost } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { SessionOptionsError } from '../core/session-errors.js';
import { setErrorHeaders } from './errors/to-http-exception.js';
import { provideSession } from './express-session/req-session.js';
import type { HttpRuntime } from './http-options.js';
import { runWithin } from './platform/carrier.js';
import { withAdapter } from './platform/http-adapter.js';
import type { PlatformRequest } from './platform/platform-request.js';
import { type ExchangeInput, SessionExchange } from './request/session-exchange.js';
import { keepExchange } from './request/session-of.js';

/**
 * Mounts the middleware that loads sessions before that of main.ts: as soon as there is an HTTP adapter, which is
 * before the app is handed to main.ts.
 */
export function mountSessions(runtime: HttpRuntime, host: HttpAdapterHost): void {
  withAdapter(host, (adapter) => useSessions(runtime, adapter));
}

function useSessions(runtime: HttpRuntime, httpAdapter: HttpAdapterHost['httpAdapter']): void {
  try {
    httpAdapter.use(sessionMiddleware(runtime));
  } catch (cause) {
    throw new SessionOptionsError(
      "`mount: 'middleware'`: expected an adapter that takes middleware, got one that refused it. On Fastify, leave " +
        '`skipMiddie` out',
      { cause },
    );
  }
}

function sessionMiddleware(runtime: HttpRuntime) {
  const goOn = (request: object, next: () => void): void =>
    runtime.options.currentSession ? runWithin(request, next) : next();
  return (request: PlatformRequest, response: ServerResponse, next: (error?: unknown) => void): void => {
    const input = { request, response, countsAsTouch: null };
    if (presentsNothing(runtime, request)) {
      keepExchange(request, () => SessionExchange.empty(runtime, input));
      provideSession(request, runtime);
      goOn(request, next);
      return;
    }
    void Promise.resolve()
      .then(() => SessionExchange.open(runtime, input))
      .catch((error: unknown) => refuseLater(input, error))
      .then((exchange) => {
        keepExchange(request, exchange);
        provideSession(request, runtime);
        goOn(request, next);
      })
      .catch(next); // what middleware behind this one throws, where the platform does not catch it
  };
}

/** Whether the request has no cookie of ours and no Authorization header, so that it leads to no session. */
function presentsNothing({ options }: HttpRuntime, { headers }: PlatformRequest): boolean {
  return headers['authorization'] === undefined && options.cookie.read(headers.cookie).length === 0;
}

/** For a session that cannot be loaded: throws when something asks for the session. What does not ask is served. */
function refuseLater({ response }: ExchangeInput, error: unknown): () => never {
  return () => {
    setErrorHeaders(response, error);
    throw error;
  };
}
