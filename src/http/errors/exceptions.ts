import {
  BadRequestException,
  ForbiddenException,
  HttpException,
  HttpStatus,
  type LoggerService,
  UnauthorizedException,
} from '@nestjs/common';
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

/** Seconds after which a client may try again when storage is unreachable. */
export const RETRY_AFTER_SECONDS = '5';

/** A `SessionError` on its way out: an `HttpException` that filters for the error's own class match too. */
export class SessionHttpException extends HttpException {
  readonly code: string;
  readonly [STANDS_FOR_CAUSE] = true;

  constructor(cause: SessionError) {
    const [, status, message] = ANSWERS.find(([type]) => cause instanceof type) ?? otherAnswer(cause);
    super({ statusCode: status, message, code: cause.code }, status, { cause });
    this.code = cause.code;
    // Filters of apps send `message` to clients, and the driver's words in it name hosts: those stay with the cause.
    this.message = cause instanceof SessionStoreError ? message : cause.message;
  }
}

/** Nobody is signed in, or the sign-in is too long ago. */
export class AuthenticationRequiredException extends UnauthorizedException {
  constructor(readonly code: 'authentication_required' | 'reauthentication_required') {
    const message =
      code === 'authentication_required' ? 'Sign in first' : 'Confirm that it is you: sign in again';
    super({ statusCode: HttpStatus.UNAUTHORIZED, message, error: 'Unauthorized', code });
  }
}

/** A signed-in user is needed where sessions do not come to, so that there can be none: in GraphQL, and in gateways. */
export class SessionUnsupportedException extends UnauthorizedException {
  readonly code = 'session_unsupported';

  /** @param where the kind of handlers, as a client may read it */
  constructor(where = 'these handlers') {
    super({
      statusCode: HttpStatus.UNAUTHORIZED,
      error: 'Unauthorized',
      ...SessionUnsupportedException.answer(where),
    });
  }

  /** What clients are told, whatever carries it. */
  static answer(where: string): { message: string; code: 'session_unsupported' } {
    return {
      message: `This needs a signed-in user, and sessions do not reach ${where} yet`,
      code: 'session_unsupported',
    };
  }
}

/** What a page of another site is told, and what one that hides where it is from. */
const FOREIGN_PAGES = {
  'other-site':
    'A page of another site sent this request, so no session was begun or changed. If that site is yours, list its origin in the ' +
    '`csrf` option of SessionModule: csrf: { origins: [...] }',
  'hidden-origin':
    'The page that sent this request hides its origin, so no session was begun or changed. If the page is yours, its Referrer-Policy ' +
    'is `no-referrer`, as it is by default with helmet: set another, such as `same-origin`, or serve it over https',
};

/** A page of another site made the browser send this, or one that hides where it is from. */
export class CrossSiteRequestException extends ForbiddenException {
  readonly code = 'cross_site_request';

  constructor(page: keyof typeof FOREIGN_PAGES = 'other-site') {
    super({
      statusCode: HttpStatus.FORBIDDEN,
      message: FOREIGN_PAGES[page],
      error: 'Forbidden',
      code: 'cross_site_request',
    });
  }
}

/** The request has a session cookie and a bearer token: whose it is cannot be told. */
export class TwoTokensException extends BadRequestException {
  readonly code = 'two_tokens';

  constructor() {
    super({
      statusCode: HttpStatus.BAD_REQUEST,
      message: 'The request has a session cookie and a bearer token. Send one of them',
      error: 'Bad Request',
      code: 'two_tokens',
    });
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
