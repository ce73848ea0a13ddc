import type { UserId } from '../core/identifiers.js';
import type { JsonObject } from '../core/json-data.js';
import { SessionDataError } from '../core/session-errors.js';

/** Where Passport keeps whoever it signed in, as its `serializeUser` made it. `undefined`: nobody. */
export function passportUser(data: JsonObject): unknown {
  const { passport } = data;
  return typeof passport === 'object' && passport !== null && !Array.isArray(passport)
    ? passport['user']
    : undefined;
}

/** Whether Passport works on this request, so that what is under its name in the data was put there by it. */
export function usesPassport(request: object): boolean {
  return 'logIn' in request && typeof request.logIn === 'function';
}

/**
 * The id of a serialized user: itself, or its `id` when it is an object.
 *
 * @throws SessionDataError when there is none
 */
export function passportUserId(user: unknown): UserId {
  const id = typeof user === 'object' && user !== null && 'id' in user ? user.id : user;
  if (typeof id === 'string' || typeof id === 'number' || typeof id === 'bigint') return id;
  throw new SessionDataError(
    "Passport's serializeUser made neither an id nor an object with an `id`: expected one of them, or the option " +
      '`passportUserId`, a function that gives the id',
  );
}
