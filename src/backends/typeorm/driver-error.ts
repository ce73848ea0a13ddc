/*
 * What TypeORM and the drivers throw, read without knowing which of them it was.
 */

/** What a driver says of a failure. */
export interface DriverError {
  /** The database's or the system's name for it, or its number where the driver knows no name; empty when there is neither. */
  readonly code: string;
  /** Never holds the values bound. */
  readonly message: string;
  /** The driver's own error, which may hold the values bound. */
  readonly cause: unknown;
}

/** Reads what TypeORM or a driver threw. */
export function driverErrorOf(error: unknown): DriverError {
  const cause = property(error, 'driverError') ?? error;
  const code = property(cause, 'code') ?? numberOf(property(cause, 'errno'));
  const message = property(cause, 'message');
  return {
    code: typeof code === 'string' ? code : '',
    message: withCode(typeof message === 'string' ? message : String(cause), code),
    cause,
  };
}

/** `mysql2` knows no name for some errors of MariaDB. */
function numberOf(errno: unknown): string | undefined {
  return typeof errno === 'number' ? String(errno) : undefined;
}

/** A property of whatever it is. */
export function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** Some drivers put the code into the message, some do not; that of several failed addresses is empty. */
function withCode(message: string, code: unknown): string {
  if (typeof code !== 'string' || message.includes(code)) return message;
  return message === '' ? code : `${code}: ${message}`;
}
