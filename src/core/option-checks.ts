import { describeValue } from './describe-value.js';
import { SessionOptionsError } from './session-errors.js';

/*
 * Checks that every option of the library goes through when the app starts. Each throws a `SessionOptionsError` that
 * reads "`name`: expected …, got …".
 */

/** @throws SessionOptionsError naming the unknown option and the known ones */
export function refuseUnknown(what: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new SessionOptionsError(
      `Unknown ${what}: expected one of ${known.join(', ')}, got ${describeValue(unknown)}`,
    );
  }
}

/** The error for an option that cannot be used: `got` is described by its kind, or shown when it is short. */
export function expected(name: string, what: string, got: unknown): SessionOptionsError {
  return new SessionOptionsError(`\`${name}\`: expected ${what}, got ${describeValue(got)}`);
}

/** @throws SessionOptionsError when it is no object */
export function requireObject(name: string, what: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw expected(name, what, value);
}

/** The value, if it is one of `known`. @throws SessionOptionsError naming these */
export function oneOf<T extends string>(name: string, value: T, known: readonly T[]): T {
  if (known.includes(value)) return value;
  throw expected(name, known.map((one) => `'${one}'`).join(' or '), value);
}

/** The value, if it is an integer of at least 1. @param alternative what else may be given, for the error */
export function positiveInteger(name: string, value: number, alternative = ''): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw expected(name, `an integer of at least 1${alternative}`, value);
}
