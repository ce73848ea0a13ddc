// A process of its own with a backend, or with a lock, that does what its parent says.
import sqlite3 from 'sqlite3';
import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { insertLimited, inserting, row } from '../../../../src/testing/backend-contract/contract-rule.js';
import type { TypeOrmSessionBackendOptions } from '../../../../src/backends/typeorm/typeorm-session-backend-options.js';
import type { ChildCalls, ChildRequest } from './child.js';

let backend: TypeOrmSessionBackend | undefined;
let lock: sqlite3.Database | undefined;

function opened(): TypeOrmSessionBackend {
  if (!backend) throw new Error('not opened');
  return backend;
}

const execute = (database: sqlite3.Database, sql: string) =>
  new Promise<void>((resolve, reject) => {
    database.exec(sql, (error) => (error ? reject(error) : resolve()));
  });

const calls: ChildCalls = {
  async open(database: string, options: TypeOrmSessionBackendOptions) {
    backend = new TypeOrmSessionBackend(
      new DataSource({ type: 'sqlite', driver: sqlite3, database }),
      options,
    );
  },
  async becomeNobody() {
    process.setgid?.(65_534);
    process.setuid?.(65_534);
  },
  init: () => opened().init(),
  close: () => opened().close(),
  async insert(id) {
    return (await opened().insert(inserting(row(id)))).status;
  },
  /** Inserts one after the other, and tells the parent of each that is acknowledged. */
  async insertMany(prefix, count, max) {
    for (let index = 0; index < count; index++) {
      const at = Date.now();
      const built = row(`${prefix}${index}`, { createdAt: at, lastActiveAt: at, expiresAt: at + 60_000 });
      await insertLimited(opened(), built, { max, onLimit: 'evict' });
      process.send?.({ acknowledged: built.id });
    }
  },
  /** So many writers, each with a session of its own, save again and again; the parent is told of each that is done. */
  async saveMany(prefix, writers, count) {
    const writer = async (number: number): Promise<void> => {
      const id = `${prefix}${number}`;
      await opened().insert(inserting(row(id, { version: 0 })));
      for (let version = 1; version <= count / writers; version++) {
        const { lastActiveAt, expiresAt } = row(id);
        const change = {
          id,
          lastActiveAt,
          expiresAt,
          now: lastActiveAt,
          keyId: 'k',
          payload: Buffer.alloc(200),
        };
        const [hit] = await opened().save([{ ...change, expectedVersion: version - 1, version }]);
        if (hit) process.send?.({ acknowledged: `${id} ${version}` });
      }
    };
    await Promise.all(Array.from({ length: writers }, (_, number) => writer(number)));
  },
  async find(id) {
    const [found] = await opened().find([id]);
    return found?.id ?? null;
  },
  async lock(file) {
    lock = new sqlite3.Database(file);
    await execute(lock, 'PRAGMA busy_timeout = 2000; BEGIN EXCLUSIVE');
  },
  async unlock() {
    if (lock) await execute(lock, 'COMMIT');
    await new Promise((resolve) => lock?.close(resolve));
  },
};

process.on('message', (message: ChildRequest) => {
  const call = calls[message.call] as (...values: readonly unknown[]) => Promise<unknown>;
  call(...message.values).then(
    (result) => process.send?.({ number: message.number, result }),
    (error: Error) => process.send?.({ number: message.number, error: error.message }),
  );
});
