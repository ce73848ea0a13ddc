import { HttpException, type LoggerService } from '@nestjs/common';
import { SessionStoreError } from '../../core/session-errors.js';
import { toHttpException } from './to-http-exception.js';

/*
 * How refusals reach the client of a gateway: Nest passes on what is in a `WsException`, and of all other errors nothing.
 */

/** What the client gets, as `exception`. */
export interface WsRefusal {
  readonly status: 'error';
  readonly code: string;
  readonly message: string;
}

/**
 * A `WsException` of the app's `@nestjs/websockets`, which alone passes on what it holds; `null` where that package is
 * missing, so that no gateway can be there.
 */
export async function wsException(refusal: WsRefusal): Promise<Error | null> {
  const websockets = await import('@nestjs/websockets').catch(() => null);
  return websockets && new websockets.WsException(refusal);
}

/**
 * An error of this package as the `WsException` that tells the client its code; anything else as it is. What the client
 * cannot know, and Nest does not log, goes to the log.
 *
 * @param what what is being handled, for the log
 */
export async function toWsException(
  error: unknown,
  what: string,
  logger: Pick<LoggerService, 'error'>,
): Promise<unknown> {
  const exception = toHttpException(error);
  if (!isOurs(exception)) return error;
  const isOutage = exception.cause instanceof SessionStoreError;
  if (exception.getStatus() >= 500 && !isOutage) logger.error(`${what}: ${String(exception.cause)}`);
  return (await wsException(refusalTo(exception))) ?? error;
}

/** An exception of this package: each has a code that clients compare. */
type CodedException = HttpException & { readonly code: string };

function isOurs(error: unknown): error is CodedException {
  return error instanceof HttpException && 'code' in error && typeof error.code === 'string';
}

/** What the client of a gateway gets for an exception of this package: the words and the code that it has over HTTP. */
export function refusalTo(exception: CodedException): WsRefusal {
  const body = exception.getResponse();
  const message = typeof body === 'object' && 'message' in body ? String(body.message) : exception.message;
  return { status: 'error', code: exception.code, message };
}
