import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { sessionsFileBeside } from '../../../../src/backends/typeorm/sqlite/sqlite-path.js';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { inserting, row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import { FaultyDriver } from '../support/faulty-driver.js';
import { OPTIONS } from '../support/open-backend.js';
import { removeTempFolders, tempFolder } from '../support/temp-folder.js';

afterEach(removeTempFolders);

/** A backend with rows `a` and `b`, the driver of which keeps a log and fails on demand. */
async function watched(options = {}) {
  const faulty = new FaultyDriver();
  const database = join(await tempFolder(), 'app.sqlite');
  const app = new DataSource({ type: 'sqlite', database, driver: faulty.driver });
  const backend = new TypeOrmSessionBackend(app, { ...OPTIONS, ...options });
  await store(backend, row('a'), row('b'));
  await backend.find(['a']);
  faulty.statements.length = 0;
  const lookups = () => faulty.statements.filter((sql) => sql.includes('json_each')).length;
  /** Resolves when a statement that matches has begun. */
  const begun = async (sql: RegExp) => {
    while (!faulty.statements.some((statement) => sql.test(statement))) await new Promise(setImmediate);
  };
  return { faulty, backend, lookups, begun, database };
}

describe('look-ups on a connection that is busy', () => {
  it('are one SELECT, and each gets the rows that it asked for', async () => {
    const { faulty, backend, lookups, begun } = await watched();
    const release = faulty.hold(/^INSERT/);
    const insert = backend.insert(inserting(row('c')));
    await begun(/^INSERT/);
    const found = [
      backend.find(['b']),
      backend.find(['a', 'nobody', 'a']),
      backend.find([]),
      backend.find(['b']),
    ];
    await new Promise(setImmediate);
    expect(lookups()).toBe(0);
    release();
    await insert;
    expect(await Promise.all(found)).toEqual([[row('b')], [row('a'), null, row('a')], [], [row('b')]]);
    expect(lookups()).toBe(1);
    await backend.close();
  });

  it('never join a SELECT that has begun: what was acknowledged before is seen', async () => {
    const { faulty, backend, lookups, begun } = await watched();
    const release = faulty.hold(/json_each/);
    const early = backend.find(['a']);
    await begun(/json_each/);
    const deleted = backend.delete({ ids: ['a'] });
    const late = deleted.then(() => backend.find(['a']));
    release();
    expect(await early).toEqual([row('a')]);
    expect(await late).toEqual([null]);
    expect(lookups()).toBe(2);
    await backend.close();
  });

  it('fail together, and the next one is asked anew', async () => {
    const { faulty, backend, begun } = await watched();
    const release = faulty.hold(/^INSERT/);
    const insert = backend.insert(inserting(row('c')));
    await begun(/^INSERT/);
    faulty.fail(/json_each/, 'SQLITE_IOERR');
    const found = [backend.find(['a']), backend.find(['b'])];
    release();
    await insert;
    for (const { status } of await Promise.allSettled(found)) expect(status).toBe('rejected');
    expect(await backend.find(['a', 'b'])).toEqual([row('a'), row('b')]);
    await backend.close();
  });

  it('do not join one that has waited for half of the timeout, whose time is up before theirs', async () => {
    const { faulty, backend, begun } = await watched({ timeout: 3_000 });
    const release = faulty.hold(/^INSERT/);
    const insert = backend.insert(inserting(row('c'))).catch(() => null);
    await begun(/^INSERT/);
    const early = backend.find(['a']);
    await new Promise((resolve) => setTimeout(resolve, 1_600));
    const late = backend.find(['a']);
    await expect(early).rejects.toThrow('no success within 2700 ms');
    release();
    await insert;
    expect(await late).toEqual([row('a')]);
    await backend.close();
  });

  it('go by the primary key, so that they cost the same in a large table', async () => {
    const { faulty, backend, database } = await watched();
    await backend.find(['a']);
    await backend.close();
    const sessions = await new DataSource({
      type: 'better-sqlite3',
      database: sessionsFileBeside(database),
    }).initialize();
    const plan: { detail: string }[] = await sessions.query(`EXPLAIN QUERY PLAN ${faulty.statements[0]}`, [
      '["a"]',
    ]);
    await sessions.destroy();
    expect(plan.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(/^SCAN wanted /),
      expect.stringMatching(/^SEARCH s USING INDEX .*\(id=\?\)/),
    ]);
  });
});
