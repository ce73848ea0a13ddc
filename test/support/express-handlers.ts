import { All, Controller, Param, Req, Res } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import type { ExpressSession } from 'nest-sessions';
import type { AppSetup } from './open-app.js';
import type { PlatformResponse } from './routes.js';
import { BASICS } from './session-routes.js';

/** A request with the properties that express-session gives it. */
export interface ExpressRequest {
  session: ExpressSession & Record<string, unknown>;
  sessionID: string | null;
}

/** A handler that knows express-session, and answers by itself. Nest waits for it if it gives a promise. */
export type Handler = (request: ExpressRequest, answer: (body: unknown) => void) => unknown;

/** Handlers under `/x/…`, as they would be on plain Express: they get a request, and call back with an answer. */
export function withHandlers(handlers: Readonly<Record<string, Handler>>, setup: AppSetup = {}): AppSetup {
  @Controller('x')
  class HandlerController {
    @All(':name')
    run(
      @Param('name') name: string,
      @Req() request: ExpressRequest,
      @Res() response: PlatformResponse & ServerResponse,
    ): unknown {
      return handlers[name]?.(request, (body) => void response.send(body));
    }
  }
  return { ...setup, controllers: [HandlerController, ...(setup.controllers ?? [])], routes: BASICS };
}

/** What went wrong, for an answer. */
export function failureOf(error: unknown): { status: number | undefined; message: string } {
  const { status, message } = error as { status?: number; message: string };
  return { status, message };
}
