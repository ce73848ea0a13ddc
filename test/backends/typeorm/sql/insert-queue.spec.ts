import { AbstractLogger, type DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import type { InsertRequest } from '../../../../src/core/session-backend.js';
import {
  idsOf,
  inserting,
  NOW,
  row,
  store,
  deleteActive,
} from '../../../../src/testing/backend-contract/contract-rule.js';
import { evict } from '../../../../src/testing/backend-contract/limit-fixtures.js';
import { onEachDatabase, openDatabase, SERVER_KINDS, type TestDatabase } from '../../../support/databases.js';
import { OPTIONS } from '../support/open-backend.js';

/** Keeps every statement. */
class StatementLog extends AbstractLogger {
  readonly statements: string[] = [];

  override logQuery(query: string): void {
    this.statements.push(query);
  }

  protected writeLog(): void {}
}

onEachDatabase('sign-ins of one user at once', SERVER_KINDS, (kind) => {
  const log = new StatementLog();
  let database: TestDatabase;
  let app: DataSource;
  let backend: TypeOrmSessionBackend;

  beforeAll(async () => {
    database = await openDatabase(kind);
    app = await database.open({ logger: log });
    backend = new TypeOrmSessionBackend(app, OPTIONS);
    await backend.init();
  });
  beforeEach(async () => {
    await deleteActive(backend);
    log.statements.length = 0;
  });
  afterAll(() => database.drop());

  const signIn = (id: string, request: Partial<InsertRequest> = {}) =>
    backend.insert(inserting(row(id), { limit: evict(5), ...request }));
  const left = async () =>
    idsOf(await backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null }));
  const commits = () => log.statements.filter((statement) => statement.endsWith('COMMIT')).length;

  it('share a commit when they had to wait for each other', async () => {
    const ids = Array.from({ length: 16 }, (_, index) => `s${String(index).padStart(2, '0')}`);
    const results = await Promise.all(ids.map((id) => signIn(id)));
    expect(results.map(({ status }) => status)).toEqual(ids.map(() => 'inserted'));
    expect(await left()).toEqual(ids.slice(-5));
    expect(commits()).toBe(2);
  });

  it('fail alone when the row of one cannot be built', async () => {
    const failure = new Error('not to be built');
    const results = await Promise.allSettled([
      signIn('a'),
      signIn('b'),
      signIn('c', {
        build: () => {
          throw failure;
        },
      }),
      signIn('d'),
    ]);
    expect(results.map((each) => (each.status === 'rejected' ? each.reason : each.value.status))).toEqual([
      'inserted',
      'inserted',
      failure,
      'inserted',
    ]);
    expect(await left()).toEqual(['a', 'b', 'd']);
    expect(commits()).toBe(2);
  });

  it.each([
    ['meets an id that is taken', { build: () => row('taken', { userId: 'ada' }) }, 'taken'],
    ['refuses', { build: () => null }, 'refused'],
  ])('get what each would have got alone when one %s', async (_, request, status) => {
    await store(backend, row('taken', { userId: 'bob' }));
    const results = await Promise.all([signIn('a'), signIn('b'), signIn('c', request), signIn('d')]);
    expect(results.map((each) => each.status)).toEqual(['inserted', 'inserted', status, 'inserted']);
    expect(await left()).toEqual(['a', 'b', 'd']);
  });

  it('all fail in time when the database does not let them in', async () => {
    const slow = new TypeOrmSessionBackend(app, { ...OPTIONS, timeout: 2_000 });
    await slow.init();
    await store(slow, row('held'));
    const holder = app.createQueryRunner();
    await holder.startTransaction();
    await holder.query('SELECT id FROM sessions FOR UPDATE');
    const began = performance.now();
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) => slow.insert(inserting(row(`s${index}`), { limit: evict(1) }))),
    );
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(results.map(({ status }) => status)).toEqual(results.map(() => 'rejected'));
    await holder.rollbackTransaction();
    await holder.release();
    expect(await left()).toEqual(['held']);
    expect((await signIn('later')).status).toBe('inserted');
  });
});
