import { EventEmitter } from 'node:events';
import type { DataSource } from 'typeorm';
import { property } from '../driver-error.js';

/**
 * Lets the process outlive connections of a pool that the server ends, those that the app uses included. Between the
 * moment when a pool hands a connection out and the one when TypeORM listens to it, nobody takes its `error` event, which
 * then ends the process; the statement that finds the connection dead fails anyway.
 */
export function handleErrorsOfPool({ driver }: DataSource): void {
  const pool = property(driver, 'master') ?? property(driver, 'pool'); // of Postgres and of MySQL
  if (!(pool instanceof EventEmitter) || POOLS.has(pool)) return;
  const slaves = property(driver, 'slaves');
  for (const each of [pool, ...(Array.isArray(slaves) ? slaves : [])]) {
    if (!(each instanceof EventEmitter)) continue;
    POOLS.add(each);
    each.on('acquire', handleErrorsOf);
  }
}

/** The same for one connection of such a pool. */
export function handleErrorsOf(connection: unknown): void {
  if (!(connection instanceof EventEmitter) || CONNECTIONS.has(connection)) return;
  CONNECTIONS.add(connection);
  connection.on('error', () => undefined);
}

/** Pools and connections whose errors are handled already. */
const POOLS = new WeakSet<EventEmitter>();
const CONNECTIONS = new WeakSet<EventEmitter>();
