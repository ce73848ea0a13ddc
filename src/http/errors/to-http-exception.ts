import { HttpException, HttpStatus, type LoggerService } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import {
  SessionConflictError,
  SessionDataError,
  SessionError,
  SessionGoneError,
  SessionLimitError,
  SessionOptionsError,
  SessionStoreError,
  SessionTamperedError,
  SessionTooLargeError,
  STANDS_FOR_CAUSE,
} from '../../core/session-errors.js';
import { bodyOf, type ErrorExtensions, extensionsOf, TwoTokensException } from './exceptions.js';

/*
 * How errors of sessions leave the HTTP layer: as which exception, with which headers, and with which line in the log.
 */

/** Status and message of the answer to each error. The error's own message is for the log: it may name internals. */
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
  [SessionOptionsError, HttpStatus.INTERNAL_SERVER_ERROR, 'The server is not set up for this'],
] as const;

/** The answer to any other error. Where the client sent what cannot be stored, it names the place and not the value. */
function otherAnswer(cause: SessionError): readonly [null, HttpStatus, string] {
  if (!(cause instanceof SessionDataError) || cause.fault === 'code')
    return [null, HttpStatus.INTERNAL_SERVER_ERROR, 'The session could not be saved'];
  const where = cause.path === null ? '' : `: see \`${cause.path}\``;
  return [null, HttpStatus.BAD_REQUEST, `What was sent cannot be used${where}`];
}

/** Seconds after which a client may try again when storage is unreachable. @see RFC 9110, 10.2.3 */
const RETRY_AFTER_SECONDS = '5';

/** The `HttpException` that answers a `SessionError`. Exception filters for the class of that error catch it too. */
export class SessionHttpException extends HttpException {
  readonly code: string;
  readonly [STANDS_FOR_CAUSE] = true;

  constructor(cause: SessionError) {
    const [, status, message] = ANSWERS.find(([type]) => cause instanceof type) ?? otherAnswer(cause);
    super({ message, code: cause.code }, status, { cause });
    this.code = cause.code;
    // Exception filters of apps send `message` to clients. That of a SessionStoreError may name hosts: it stays in `cause`.
    this.message = cause instanceof SessionStoreError ? message : cause.message;
  }

  /** The code, where GraphQL looks for it. */
  get extensions(): ErrorExtensions {
    return extensionsOf(this);
  }

  override getResponse(): object {
    return bodyOf(this, super.getResponse());
  }

  /** What the response carries beside the answer: `Retry-After` with a 503. */
  get headers(): Readonly<Record<string, string>> {
    return this.getStatus() === 503 ? { 'Retry-After': RETRY_AFTER_SECONDS } : {};
  }
}

/**
 * A `SessionError` as the exception that answers it; anything else as it is. For exception filters of the app that catch
 * everything, and for errors of `SessionStore` in its guards and middleware.
 */
export function toHttpException(error: unknown): unknown {
  const isBare = error instanceof SessionError && !(error instanceof HttpException);
  return isBare ? new SessionHttpException(error) : error;
}

/**
 * The same error, whose `message` is the one that clients may read: GraphQL sends it on. What the developer reads is in
 * `cause`.
 */
export function forClients(error: unknown): unknown {
  if (!(error instanceof SessionHttpException)) return error;
  const { message } = error.getResponse() as { readonly message: string };
  error.message = message;
  return error;
}

/** Sets the headers of an error on a response without a session, for which `setSessionHeaders` is never called. */
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
 * After an outage, which is in the log already, sets `Retry-After` on a 503. Nest logs no HttpException, so any other error of
 * sessions that is answered with a 500 is logged here.
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

/** An error for the log. One that is neither of sessions nor of Nest may be a bug of the app, so it comes with its stack. */
export function describeError(error: unknown): string {
  const isOwn = error instanceof SessionError || error instanceof HttpException;
  return error instanceof Error && !isOwn ? (error.stack ?? String(error)) : String(error);
}
