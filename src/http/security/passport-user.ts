import { toUserId, type UserId } from '../../core/identifiers.js';
import { isSameJson, type JsonObject } from '../../core/json-data.js';
import { SessionDataError } from '../../core/session-errors.js';
import { rawRequest } from '../platform/platform-request.js';

/*
 * The user whom Passport keeps in the session data, under `passport.user`: where it is, and whether it is who is signed in.
 */

/** The key of the session data under which Passport keeps its own. */
export const PASSPORT_KEY = 'passport';

/** The user whom Passport signed in, as its `serializeUser` made it; `undefined`: nobody. */
export function passportUser(data: JsonObject): unknown {
  const { passport } = data;
  return typeof passport === 'object' && passport !== null && !Array.isArray(passport)
    ? passport['user']
    : undefined;
}

/**
 * Whether Passport handles this request, so that it wrote what the data has under `passport`, and trusts it. In an app
 * without Passport that is a key as any other.
 */
export function usesPassport(request: object): boolean {
  return hasLogIn(request) || hasLogIn(rawRequest(request));
}

function hasLogIn(request: object): boolean {
  return 'logIn' in request && typeof request.logIn === 'function';
}

/**
 * Whether Passport may read `data`: it names no user to Passport, or the one who is signed in. A user whose id cannot be
 * found out is not the one who is signed in.
 *
 * @param userId who is signed in; `null`: nobody
 * @param idOf the option `passportUserId`
 */
export function agreesOnUser(
  data: JsonObject,
  userId: string | null,
  idOf: (user: unknown) => UserId,
): boolean {
  const user = passportUser(data);
  if (user === undefined) return true;
  if (userId === null) return false;
  try {
    return toUserId(idOf(user)) === userId;
  } catch {
    return false;
  }
}

/** Whether `next` names another user to Passport than `before` did, or names one anew. */
export function changesPassportUser(before: JsonObject, next: JsonObject): boolean {
  const user = passportUser(next);
  return user !== undefined && !isSameJson(user, passportUser(before) as JsonObject[string] | undefined);
}

/** The error for data that names another user to Passport than the one who is signed in. */
export function foreignPassportUser(): SessionDataError {
  return new SessionDataError(
    'Session data would make Passport believe in another user than the one who is signed in (`passport.user`). Nothing ' +
      'was saved: sign in with `req.logIn()` of Passport 0.6 or later, or with `authenticate()` first, and keep keys from ' +
      'clients out of the top level of the data',
    { path: 'data.passport.user', fault: 'input' },
  );
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
