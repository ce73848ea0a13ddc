import {
  All,
  Controller,
  Get,
  HttpCode,
  Inject,
  NotFoundException,
  Param,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Session } from 'nest-sessions';

/** What the sessions of the tests hold. */
export interface TestData {
  cart?: string[];
  theme?: string;
  count?: number;
  [key: string]: unknown;
}

export type TestSession = Session<TestData>;

/** What a handler gets. */
export interface Call {
  readonly session: TestSession;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, string>>;
  /** The platform's request. */
  readonly request: PlatformRequest;
}

export interface PlatformRequest {
  readonly body?: Readonly<Record<string, string>>;
  readonly raw?: IncomingMessage;
  session?: Record<string, unknown>;
}

/** What both platforms' responses have, under names of their own. */
export interface PlatformResponse {
  readonly raw?: ServerResponse;
  status(code: number): this;
  send(body?: unknown): unknown;
  header(name: string, value: string): this;
  redirect(url: string): unknown;
}

/** A handler of a test, with Node's response and the platform's. */
export type Route = (call: Call, response: ServerResponse, reply: PlatformResponse) => unknown;

/** Handlers by name. `/do/name`: Nest composes the answer. `/raw/name`: the handler answers, as with `@Res()`. */
export type Routes = Readonly<Record<string, Route>>;

export const ROUTES = Symbol('routes of the test');

/** Runs the handlers of a test. */
@Controller()
export class RouteController {
  constructor(@Inject(ROUTES) private readonly routes: Routes) {}

  @All('do/:name')
  @HttpCode(200)
  do(
    @Param('name') name: string,
    @Session() session: TestSession,
    @Query() query: Record<string, string>,
    @Req() request: PlatformRequest,
    @Res({ passthrough: true }) reply: PlatformResponse & ServerResponse,
  ): unknown {
    return this.#run(name, { session, query, body: request.body ?? {}, request }, reply);
  }

  @All('raw/:name')
  raw(
    @Param('name') name: string,
    @Session() session: TestSession,
    @Query() query: Record<string, string>,
    @Req() request: PlatformRequest,
    @Res() reply: PlatformResponse & ServerResponse,
  ): unknown {
    return this.#run(name, { session, query, body: request.body ?? {}, request }, reply);
  }

  /** A route that does not look at the session. */
  @Get('plain')
  plain(): object {
    return { plain: true };
  }

  #run(name: string, call: Call, reply: PlatformResponse & ServerResponse): unknown {
    const route = this.routes[name];
    if (route === undefined) throw new NotFoundException(`The test has no route '${name}'`);
    return route(call, reply.raw ?? reply, reply);
  }
}
