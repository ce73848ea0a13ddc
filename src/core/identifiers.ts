import { typeName } from './describe-value.js';
import { faultOf } from './json-data.js';
import { SessionDataError } from './session-errors.js';

/*
 * Ids of users and of sessions: checked, turned into strings, and compared byte for byte.
 */

/** A user id as apps have it. Kept and returned as a string, compared byte for byte. */
export type UserId = string | number | bigint;

type IdKind = 'user id' | 'session id';

/** Names of parameters, for errors. */
const PATHS: Readonly<Record<IdKind, string>> = { 'user id': 'userId', 'session id': 'sessionId' };

/** Characters of an id at most: what every database's column holds. */
const MAX_LENGTH = 255;

/**
 * The string form of a user id.
 *
 * @throws SessionDataError when it is empty, not an id, longer than 255 characters, or cannot be stored exactly
 */
export function toUserId(value: UserId): string {
  const isNumber = typeof value === 'bigint' || Number.isSafeInteger(value);
  const text = typeof value === 'string' || isNumber ? String(value) : undefined;
  if (text === undefined)
    throw refuse(
      'user id',
      'a string, an integer or a bigint',
      typeof value === 'number' ? String(value) : typeName(value),
      value,
    );
  return checked('user id', text);
}

/** @throws SessionDataError when it is empty, longer than 255 characters, or cannot be stored exactly */
export function toSessionId(value: string): string {
  if (typeof value !== 'string') throw refuse('session id', 'a string', typeName(value), value);
  return checked('session id', value);
}

/** The order of ids everywhere: by their UTF-8 bytes. UTF-16 code units would order some characters differently. */
export function compareIds(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function checked(what: IdKind, text: string): string {
  if (text === '') throw refuse(what, 'a non-empty string', 'an empty one', text);
  if (text.length > MAX_LENGTH)
    throw refuse(what, `at most ${MAX_LENGTH} characters`, `${text.length}`, text);
  if (text.includes('\0')) throw refuse(what, 'no NUL character', 'one', text);
  if (/\p{Surrogate}/u.test(text)) throw refuse(what, 'well-formed Unicode', 'a lone surrogate', text);
  return text;
}

function refuse(what: IdKind, expected: string, got: string, value: unknown): SessionDataError {
  return new SessionDataError(`Invalid ${what}: expected ${expected}, got ${got}`, {
    path: PATHS[what],
    fault: faultOf(value),
  });
}
