import { HttpException, HttpStatus, type LoggerService } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import {
  SessionConflictError,
  SessionDataError,
  SessionError,
  SessionGoneError,
  SessionLimitError,
  SessionStoreError,
  SessionTamperedError,
  SessionTooLargeError,
  STANDS_FOR_CAUSE,
} from '../../core/session-errors.js';
import { TwoTokensException } from './exceptions.js';

/** Status and public words of each error. The error's own message is for the log: it may name internals. */
const ANSWERS = [
  [
    SessionStoreError,
    HttpStatus.SERVICE_UNAVAILABLE,
    'Sessions are unavailable at the moment. Try again shortly',
  ],
  [SessionGoneError, HttpStatus.UNAUTHORIZED, 'The session has ended. Sign in again'],
  [SessionTamperedError, HttpStatus.UNAUTHORIZED, 'The session has ended. Sign in again'],
  [
    SessionConflictError,
    HttpStatus.CONFLICT,
    'The session has changed meanwhile, or this request cannot change it. Nothing was changed',
  ],
  [SessionLimitError, HttpStatus.CONFLICT, 'There are too many active sessions. End one of them first'],
  [SessionTooLargeError, HttpStatus.PAYLOAD_TOO_LARGE, 'The session would hold too much'],
] as const;

/** What a client can have sent is told where it is, and no more: not what it is. */
function otherAnswer(cause: SessionError): readonly [null, HttpStatus, string] {
  if (!(cause instanceof SessionDataError) || cause.fault === 'code')
    return [null, HttpStatus.INTERNAL_SERVER_ERROR, 'The session could not be saved'];
  const where = cause.path === null ? '' : `: see \`${cause.path}\``;
  return [null, HttpStatus.BAD_REQUEST, `The session cannot hold what was sent${where}`];
}

/** Seconds after which a client may try again when storage is unreachable. @see RFC 9110, 10.2.3 */
const RETRY_AFTER_SECONDS = '5';

/** A `SessionError` on its way out: an `HttpException` that filters for the error's own class match too. */
export class SessionHttpException extends HttpException {
  readonly code: string;
  /** What the response carries beside the answer: `Retry-After` with a 503. */
  readonly headers: Readonly<Record<string, string>>;
  readonly [STANDS_FOR_CAUSE] = true;

  constructor(cause: SessionError) {
    const [, status, message] = ANSWERS.find(([type]) => cause instanceof type) ?? otherAnswer(cause);
    super({ statusCode: status, message, code: cause.code }, status, { cause });
    this.code = cause.code;
    this.headers = status === HttpStatus.SERVICE_UNAVAILABLE ? { 'Retry-After': RETRY_AFTER_SECONDS } : {};
    // Filters of apps send `message` to clients, and the driver's words in it name hosts: those stay with the cause.
    this.message = cause instanceof SessionStoreError ? message : cause.message;
  }
}

/**
 * What leaves the HTTP layer: a `SessionError` as its exception, anything else as it is. For filters of the app that
 * catch everything, and for errors of `SessionStore` in its guards and middleware.
 */
export function toHttpException(error: unknown): unknown {
  const isBare = error instanceof SessionError && !(error instanceof HttpException);
  return isBare ? new SessionHttpException(error) : error;
}

/** Sets the headers that an error carries, where it leaves for the platform and no session's response would set them. */
export function setErrorHeaders(response: ServerResponse, error: unknown): void {
  const carries = error instanceof SessionHttpException || error instanceof TwoTokensException;
  if (!carries || response.headersSent) return;
  for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
}

/** How a request that failed is answered. */
interface FailedResponse {
  readonly failure: unknown;
  readonly status: number;
  readonly route: string;
  readonly response: Pick<ServerResponse, 'setHeader'>;
}

/**
 * Tells the client when to come back after an outage, which is in the log already. Nest logs no HttpException, so
 * anything else that is our 500 is logged here.
 */
export function reportFailure(
  logger: Pick<LoggerService, 'error'>,
  { failure, status, route, response }: FailedResponse,
): void {
  if (failure instanceof SessionStoreError) {
    if (status === 503) response.setHeader('Retry-After', RETRY_AFTER_SECONDS);
  } else if (status >= 500) logger.error(`${route}: ${String(failure)}`);
}

/** Whether the handler's own error already says that the session could not be saved. */
export function saysUnsaved(error: unknown): boolean {
  return error instanceof SessionHttpException && error.cause instanceof SessionStoreError;
}

/** An error as a line of the log says it. What is not of sessions may be a fault of the code, so it says where. */
export function describeError(error: unknown): string {
  const isOwn = error instanceof SessionError || error instanceof HttpException;
  return error instanceof Error && !isOwn ? (error.stack ?? String(error)) : String(error);
}
