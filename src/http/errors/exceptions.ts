import {
  BadRequestException,
  ForbiddenException,
  type HttpException,
  UnauthorizedException,
} from '@nestjs/common';

/*
 * The exceptions of the library that answer a request, each with the code that clients compare.
 *
 * GraphQL takes `extensions` of an error for what its client gets. The drivers of Nest put a code of their own there if the
 * `response` of an exception has a `statusCode`: so ours has none, and `getResponse` adds it, which answers over HTTP.
 */

/** What a GraphQL client gets beside the message of an error. */
export interface ErrorExtensions {
  /** The code that the body of the answer has over HTTP. */
  readonly code: string;
}

/** The `extensions` of an exception with a code. */
export function extensionsOf({ code }: { readonly code: string }): ErrorExtensions {
  return { code };
}

/** The body of the answer over HTTP: the status, and what the exception was given. */
export function bodyOf(exception: Pick<HttpException, 'getStatus'>, response: string | object): object {
  return { statusCode: exception.getStatus(), ...(response as object) };
}

/** Nobody is signed in, or the sign-in is too long ago. */
export class AuthenticationRequiredException extends UnauthorizedException {
  constructor(readonly code: 'authentication_required' | 'reauthentication_required') {
    const message =
      code === 'authentication_required' ? 'Sign in first' : 'Confirm that it is you: sign in again';
    super({ message, error: 'Unauthorized', code });
  }

  /** The code, where GraphQL looks for it. */
  get extensions(): ErrorExtensions {
    return extensionsOf(this);
  }

  override getResponse(): object {
    return bodyOf(this, super.getResponse());
  }
}

/** A signed-in user is needed where no session is: an operation of GraphQL without request or socket, an unknown gateway. */
export class SessionUnsupportedException extends UnauthorizedException {
  readonly code = 'session_unsupported';

  /** @param where the kind of handlers, as a client may read it */
  constructor(where = 'these handlers') {
    super({ error: 'Unauthorized', ...SessionUnsupportedException.answer(where) });
  }

  /** The code, where GraphQL looks for it. */
  get extensions(): ErrorExtensions {
    return extensionsOf(this);
  }

  override getResponse(): object {
    return bodyOf(this, super.getResponse());
  }

  /** The words and the code for the client, for answers that are no exception of this class too. */
  static answer(where: string): { message: string; code: 'session_unsupported' } {
    return {
      message: `This needs a signed-in user, and sessions do not reach ${where}`,
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
    super({ message: FOREIGN_PAGES[page], error: 'Forbidden', code: 'cross_site_request' });
  }

  /** The code, where GraphQL looks for it. */
  get extensions(): ErrorExtensions {
    return extensionsOf(this);
  }

  override getResponse(): object {
    return bodyOf(this, super.getResponse());
  }
}

/** The request has a session cookie and a bearer token, which may be of two users. */
export class TwoTokensException extends BadRequestException {
  readonly code = 'two_tokens';

  constructor() {
    super({
      message: 'The request has a session cookie and a bearer token. Send one of them',
      error: 'Bad Request',
      code: 'two_tokens',
    });
  }

  /** The code, where GraphQL looks for it. */
  get extensions(): ErrorExtensions {
    return extensionsOf(this);
  }

  override getResponse(): object {
    return bodyOf(this, super.getResponse());
  }

  /** What the response carries beside the answer. @see RFC 6750, 3.1 */
  get headers(): Readonly<Record<string, string>> {
    return { 'WWW-Authenticate': 'Bearer realm="session", error="invalid_request"' };
  }
}
