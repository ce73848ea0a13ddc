import { applyDecorators, UseGuards } from '@nestjs/common';
import { type Duration, parseLifetime } from '../core/duration.js';
import { setAuth } from './request/route-policy.js';
import { SessionGuard } from './session.guard.js';

/**
 * The handler, or each of a class but those with `@Public()`, needs a signed-in user: 401 with
 * `code: 'authentication_required'` otherwise. It brings its own guard, so that it holds on every transport, and in an
 * app without `SessionModule`: where nobody can be signed in, every call is refused. On message and event handlers of
 * microservices it is a startup error.
 *
 * @param options.within how long ago the user may have proved who they are: a string such as `'10m'`, or
 * milliseconds. 401 with `code: 'reauthentication_required'` when it is longer.
 * @throws SessionOptionsError when `within` is not a duration
 * @see OWASP ASVS 5.0, 7.5.1 and 7.5.3 (re-authentication before sensitive changes)
 */
export function RequireAuth(options: { within?: Duration } = {}): MethodDecorator & ClassDecorator {
  const within = options.within === undefined ? null : parseLifetime('within', options.within);
  return applyDecorators(setAuth({ isPublic: false, within }), UseGuards(SessionGuard));
}
