import { type ExecutionContext, HttpException } from '@nestjs/common';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { from, lastValueFrom } from 'rxjs';
import {
  SessionConflictError,
  SessionGoneError,
  SessionLimitError,
  SessionStoreError,
} from '../../../src/core/session-errors.js';
import { AuthenticationRequiredException } from '../../../src/http/errors/exceptions.js';
import { exchangeOf } from '../../../src/http/request/session-of.js';
import { RouteAccess } from '../../../src/http/route-access.js';
import { SessionInterceptor } from '../../../src/http/session.interceptor.js';
import type { SessionHandle } from '../../../src/http/session/session-handle.js';
import type { Write } from './history.js';
import { BrokenConnection, type World } from './world.js';

/** What came back from a request. */
export interface Answer {
  /** The cookie to keep from now on; `null`: none. `undefined`: no word about it. */
  readonly cookie: string | null | undefined;
  /** Whom it was served as; `null`: nobody. */
  readonly userId: string | null;
  readonly failed: boolean;
}

export type Act = (session: SessionHandle) => Promise<unknown>;

/**
 * One request from its cookie to its answer: guard, handler, interceptor and response gate are those of the HTTP layer. Only
 * the platform is played: it runs them one after the other, and ends the response.
 */
export async function exchange(
  world: World,
  replica: number,
  cookie: string | null,
  act: Act,
): Promise<Answer> {
  const runtime = world.runtime(replica);
  const token = cookie === null ? null : world.store(replica).parts.issuer.recognise(cookie);
  const isEnded = token !== null && world.rules.ended.has(token.sessionId);
  const wasRetired = token !== null && world.retired.has(token.hash);
  const response = new PlayedResponse();
  const header = cookie === null ? {} : { cookie: `${runtime.options.cookie.name}=${cookie}` };
  const request = { method: 'POST', url: '/', headers: header };
  const context = contextOf(request, response);
  const isRefused = await fails(world, token?.sessionId ?? null, async () =>
    new RouteAccess(runtime).admit(context),
  );
  const opened = exchangeOf(request);
  if (isRefused || opened === null) return { cookie: undefined, userId: null, failed: isRefused };
  const { session, state } = opened;
  const [id, userId] = [session.id, session.userId];
  if (id === null && state.presentId !== null) world.unserved.add(state.presentId);
  if (id !== null && (isEnded || wasRetired)) world.scheduler.fail(`an ended token of ${id} was served`);
  let failure: unknown = null;
  const handle = () =>
    from(
      act(session).catch((error: unknown) => {
        check(world, id, error);
        throw error;
      }),
    );
  const handled = new SessionInterceptor(runtime).intercept(context, { handle });
  await lastValueFrom(handled, { defaultValue: null }).catch((error: unknown) => {
    check(world, session.id ?? id, error);
    failure = error;
  });
  const status = failure === null ? 200 : failure instanceof HttpException ? failure.getStatus() : 500;
  response.statusCode = status;
  response.end();
  await response.left;
  world.writeTouchesLater(replica);
  return { cookie: cookieIn(response), userId, failed: failure !== null || response.statusCode !== status };
}

/** A response whose bytes go nowhere. */
class PlayedResponse extends ServerResponse {
  /** Resolves when the last byte has left. */
  readonly left: Promise<void>;
  #leave: () => void = () => undefined;

  constructor() {
    super(new IncomingMessage(new Socket()));
    this.left = new Promise((resolve) => (this.#leave = resolve));
  }

  override end(): this {
    super.end();
    this.#leave();
    return this;
  }
}

class Controller {
  handle(): void {}
}

/** What the guard and the interceptor ask of an execution context. */
function contextOf(request: object, response: ServerResponse): ExecutionContext {
  const http = { getRequest: () => request, getResponse: () => response };
  const context: unknown = {
    getType: () => 'http',
    getClass: () => Controller,
    getHandler: () => Reflect.get(Controller.prototype, 'handle'),
    switchToHttp: () => http,
  };
  return context as ExecutionContext;
}

/** What the browser keeps of the answer. */
function cookieIn(response: ServerResponse): string | null | undefined {
  const lines = [response.getHeader('Set-Cookie') ?? []].flat().map(String);
  if (lines.length === 0) return undefined;
  const [, value = ''] = /^[^=]+=([^;]*)/.exec(lines.at(-1) ?? '') ?? [];
  return value === '' ? null : value;
}

/** Whether a call fails, which it may only for a reason. */
export async function fails(world: World, id: string | null, call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return false;
  } catch (error) {
    check(world, id, error);
    return true;
  }
}

function check(world: World, id: string | null, error: unknown): void {
  if (!hasReason(world, id, error)) world.scheduler.fail(`unexpected: ${(error as Error).stack}`);
}

function hasReason(world: World, id: string | null, error: unknown): boolean {
  if (error instanceof SessionGoneError)
    return id === null || world.rules.ended.has(id) || !world.storage.stored.has(id);
  if (error instanceof SessionStoreError)
    return causesOf(error).some((cause) => cause instanceof BrokenConnection);
  return (
    error instanceof SessionConflictError ||
    error instanceof SessionLimitError ||
    error instanceof AuthenticationRequiredException
  );
}

function causesOf(error: unknown): unknown[] {
  return error instanceof Error ? [error, ...causesOf(error.cause)] : [];
}

/** Makes a change of data, and writes down when it began and when it was acknowledged. */
export async function recorded(
  world: World,
  id: string | null,
  change: Pick<Write, 'kind' | 'key' | 'value' | 'data'>,
  call: () => Promise<unknown>,
): Promise<void> {
  const write: Write = { ...change, began: world.scheduler.step, ended: Infinity, isRefused: false };
  if (id !== null) world.historyOf(id).push(write);
  try {
    const result = await call();
    if (result === false) write.isRefused = true;
    else write.ended = world.scheduler.step;
  } catch (error) {
    write.isRefused = error instanceof SessionGoneError || error instanceof SessionConflictError;
    throw error;
  }
}
