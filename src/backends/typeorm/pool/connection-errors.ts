import { EventEmitter } from 'node:events';
import type { DataSource } from 'typeorm';
import { property } from '../driver-error.js';
import type { DatabaseFailure } from './database-failure.js';

/** What the network says of a connection that has ended. */
const RESET: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'PROTOCOL_CONNECTION_LOST']);

/** What is said of one that ended under a statement, without a code that the driver knows. */
const ENDED = /^Connection (terminated|terminated unexpectedly|was killed)$/;

/** What the drivers and TypeORM say of a statement that they have not sent, since its connection had ended before. */
const UNSENT = /is not queryable$|in closed state$|^Query runner already released/;

/**
 * Whether the connection has ended, so that another one may do better.
 *
 * @param codes what the server says when it ends a connection
 */
export function isLost({ code, message }: DatabaseFailure, codes: readonly string[]): boolean {
  return RESET.has(code) || codes.includes(code) || ENDED.test(message) || UNSENT.test(message);
}

/** Whether the statement that a connection was lost under may have been executed, so that something has been changed for good. */
export function isUnsure({ isDecisive, message }: DatabaseFailure): boolean {
  return isDecisive && !UNSENT.test(message);
}

const watched = new WeakSet<EventEmitter>();
const known = new WeakSet<EventEmitter>();

/**
 * Lets the process outlive connections of a pool that the server ends, those that the app uses included. Between the
 * moment when a pool hands a connection out and the one when TypeORM listens to it, nobody takes its `error` event, which
 * then ends the process; the statement that finds the connection dead fails anyway.
 */
export function outliveConnections({ driver }: DataSource): void {
  const pool = property(driver, 'master') ?? property(driver, 'pool'); // of Postgres and of MySQL
  if (!(pool instanceof EventEmitter) || watched.has(pool)) return;
  const slaves = property(driver, 'slaves');
  for (const each of [pool, ...(Array.isArray(slaves) ? slaves : [])]) {
    if (!(each instanceof EventEmitter)) continue;
    watched.add(each);
    each.on('acquire', outlive);
  }
}

/** The same for one connection. */
export function outlive(connection: unknown): void {
  if (!(connection instanceof EventEmitter) || known.has(connection)) return;
  known.add(connection);
  connection.on('error', () => undefined);
}
