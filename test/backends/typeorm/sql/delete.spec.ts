import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionStore } from '../../../../src/index.js';

/** More than a call of a function takes as its arguments. */
const MANY = 150_000;

it.each(['destroyAll', 'destroyAllForUser'] as const)('%s ends any number of sessions', async (method) => {
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-many-'));
  const options = { type: 'better-sqlite3', database: join(folder, 'many.sqlite') } as const;
  const backend = new TypeOrmSessionBackend(options, {
    tableName: 'sessions',
    createTable: true,
    timeout: 60_000,
    shared: false,
  });
  const store = new SessionStore(backend, { key: Buffer.from('0123456789abcdefghijklmnopqrstuv') });
  const rows = new DataSource(options);
  try {
    await store.initSchema();
    await store.create({}, 'ada');
    await rows.initialize();
    const columns: Array<{ name: string }> = await rows.query(
      "SELECT name FROM pragma_table_info('sessions')",
    );
    const names = columns.map(({ name }) => name);
    const values = names.map((name) =>
      name === 'id' ? "printf('%026d', n)" : name === 'token_hash' ? "printf('%064d', n)" : name,
    );
    await rows.query(
      'WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?) ' +
        `INSERT INTO sessions (${names.join(', ')}) SELECT ${values.join(', ')} FROM sessions, numbers`,
      [MANY],
    );
    expect(await (method === 'destroyAll' ? store.destroyAll() : store.destroyAllForUser('ada'))).toBe(
      MANY + 1,
    );
  } finally {
    await rows.destroy();
    await store.close();
    rmSync(folder, { recursive: true });
  }
});
