import { BadRequestException, ForbiddenException, HttpStatus, UnauthorizedException } from '@nestjs/common';

/*
 * The exceptions of the library that answer a request, each with the code that clients compare.
 */

/** Nobody is signed in, or the sign-in is too long ago. */
export class AuthenticationRequiredException extends UnauthorizedException {
  constructor(readonly code: 'authentication_required' | 'reauthentication_required') {
    const message =
      code === 'authentication_required' ? 'Sign in first' : 'Confirm that it is you: sign in again';
    super({ statusCode: HttpStatus.UNAUTHORIZED, message, error: 'Unauthorized', code });
  }
}

/** A signed-in user is needed where there are no sessions, so that nobody can be one: in GraphQL, and in gateways. */
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

  /** The words and the code for the client, for answers that are no exception of this class too. */
  static answer(where: string): { message: string; code: 'session_unsupported' } {
    return {
      message: `This needs a signed-in user, and sessions do not reach ${where} yet`,
      code: 'session_unsupported',
    };
  }
}

/** The message for a page of another site, and for one that hides its origin. */
const FOREIGN_PAGES = {
  'other-site':
    'A page of another site sent this request, so no session was begun or changed. If that site is yours, list its origin in the ' +
    '`csrf` option of SessionModule: csrf: { origins: [...] }',
  'hidden-origin':
    'The page that sent this request hides its origin, so no session was begun or changed. If the page is yours, its Referrer-Policy ' +
    'is `no-referrer`, as it is by default with helmet: set another, such as `same-origin`, or serve it over https',
};

/** A page of another site, or one that hides its origin, made the browser send the request. */
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

/** The request has a session cookie and a bearer token, which may be of two users. */
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

  /** What the response carries beside the answer. @see RFC 6750, 3.1 */
  get headers(): Readonly<Record<string, string>> {
    return { 'WWW-Authenticate': 'Bearer realm="session", error="invalid_request"' };
  }
}
