import { jest } from '@jest/globals';
import { inspect } from 'node:util';
import { AbstractLogger, EventSubscriber, type DataSource, type LogMessage } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import {
  inserting,
  MINUTE,
  NOW,
  row,
  deleteActive,
} from '../../../../src/testing/backend-contract/contract-rule.js';
import { evict } from '../../../../src/testing/backend-contract/limit-fixtures.js';
import {
  DATABASE_KINDS,
  onEachDatabase,
  openDatabase,
  type TestDatabase,
} from '../../../support/databases.js';
import { OPTIONS } from '../support/open-backend.js';

const HASH = Buffer.alloc(32, 'hash of a token').toString('hex');
const NEXT_HASH = Buffer.alloc(32, 'next hash').toString('hex');
const PAYLOAD = Buffer.from('the sealed payload of a session');
const SESSION = { tokenHash: HASH, payload: PAYLOAD, userId: 'ada-4711' };
const USE = { lastActiveAt: NOW + 1, expiresAt: NOW + 5 * MINUTE, now: NOW };

/** What must not be shown, in every form that a log may give it. */
const SECRETS = [
  HASH,
  NEXT_HASH,
  SESSION.userId,
  PAYLOAD.toString(),
  PAYLOAD.toString('hex').slice(0, 20),
  PAYLOAD.toString('base64').slice(0, 20),
  [...PAYLOAD.subarray(0, 8)].join(','),
  [...PAYLOAD.subarray(0, 8)].join(', '),
];

/** An app's own log, which keeps all that it is given: the arguments of every method, and what TypeORM makes of them. */
class KeepingLog extends AbstractLogger {
  readonly kept: unknown[] = [];

  constructor() {
    super('all');
  }

  override logQuery(...values: Parameters<AbstractLogger['logQuery']>): void {
    this.kept.push(['query', ...values.slice(0, 2)]);
    super.logQuery(...values);
  }

  override logQueryError(...values: Parameters<AbstractLogger['logQueryError']>): void {
    this.kept.push(['error', ...values.slice(0, 3)]);
    super.logQueryError(...values);
  }

  override logQuerySlow(...values: Parameters<AbstractLogger['logQuerySlow']>): void {
    this.kept.push(['slow', ...values.slice(1, 3)]);
    super.logQuerySlow(...values);
  }

  /** Everything, as text. */
  get text(): string {
    const all = { depth: null, maxArrayLength: null, maxStringLength: null, showHidden: true } as const;
    return `${inspect(this.kept, all)}\n${JSON.stringify(this.kept)}`;
  }

  protected writeLog(
    _level: string,
    messages: LogMessage | string | number | (LogMessage | string | number)[],
  ): void {
    const prepared = this.prepareLogMessages(messages, { appendParameterAsComment: true });
    this.kept.push(prepared.map(({ message, parameters }) => [message, parameters]));
  }
}

onEachDatabase('the log of an app whose data source has sessions', DATABASE_KINDS, (kind) => {
  let database: TestDatabase;
  let app: DataSource;
  let log: KeepingLog;
  const isServer = kind === 'postgres' || kind === 'mariadb';

  beforeEach(async () => {
    database = await openDatabase(kind);
    log = new KeepingLog();
  });
  afterEach(() => database.drop());

  async function open(more: object = {}, shared = false): Promise<TypeOrmSessionBackend> {
    app = await database.open({ logging: true, ...more });
    const backend = new TypeOrmSessionBackend(app, { ...OPTIONS, shared });
    await backend.init();
    return backend;
  }

  /** Every statement once. */
  async function useAll(backend: TypeOrmSessionBackend): Promise<void> {
    const change = { ...USE, expectedVersion: 1, version: 2, keyId: 'k', payload: PAYLOAD };
    await backend.insert(inserting(row('a', SESSION)));
    await backend.insert(inserting(row('b', SESSION), { limit: evict(5), replaces: 'a' }));
    await Promise.all(
      ['c', 'd', 'e'].map((id) => backend.insert(inserting(row(id, SESSION), { limit: evict(3) }))),
    );
    await backend.find(['b', 'c', 'd']);
    await backend.save([{ ...change, id: 'c' }]);
    await backend.save(['d', 'e'].map((id) => ({ ...change, id })));
    await backend.touch([{ id: 'c', ...USE }]);
    await backend.touch(['d', 'e'].map((id) => ({ ...USE, id })));
    const next = { ...row('d', { ...SESSION, tokenHash: NEXT_HASH, supersededHash: HASH }) };
    expect(await backend.changeToken({ id: 'd', now: NOW, expected: row('d', SESSION), next })).toBe(true);
    await backend.list({ userId: SESSION.userId, now: NOW, orderBy: 'createdAt', limit: 2 });
    await backend.walk({
      now: NOW,
      cursor: null,
      batchSize: 9,
      limit: 9,
      activeSince: NOW,
      authenticated: true,
    });
    await backend.keysInUse();
    await backend.delete({ ids: ['d'], userId: SESSION.userId });
    await backend.delete({ userId: SESSION.userId, exceptId: 'e' });
    await backend.prune({ now: NOW + 1e12, cursor: null, batchSize: 5 });
    const tooLong = row('x'.repeat(2_000), SESSION);
    if (isServer) await expect(backend.insert(inserting(tooLong))).rejects.toThrow(/too long/);
    await deleteActive(backend);
  }

  function expectNoSecret(): void {
    for (const secret of SECRETS) expect(log.text).not.toContain(secret);
  }

  it.each([true, false])('shows no hash, payload or user, where it is shared: %s', async (shared) => {
    const backend = await open({ logger: log }, shared);
    await useAll(backend);
    expectNoSecret();
    await backend.close();
  });

  it('shows what is done all the same, and that it has values', async () => {
    const backend = await open({ logger: log });
    await useAll(backend);
    if (!isServer) return; // the driver of a file is used without TypeORM
    for (const statement of ['SELECT id', 'INSERT INTO', 'UPDATE', 'DELETE', 'COMMIT'])
      expect(log.text).toMatch(new RegExp(`'query',\\s+['"\`].{0,60}${statement}`));
    expect(log.text).toContain('["[values]"]');
    expect(log.text).toMatch(/'error',\s+['"`].*too long/i);
  });

  it('shows none of them in what it says of slow statements', async () => {
    const backend = await open({ logger: log, maxQueryExecutionTime: 1 });
    await useAll(backend);
    if (isServer) {
      const holder = await database.open();
      const runner = holder.createQueryRunner();
      await backend.insert(inserting(row('a', SESSION)));
      await runner.startTransaction();
      await runner.query("SELECT id FROM sessions WHERE id = 'a' FOR UPDATE");
      const touch = backend.touch([{ id: 'a', ...USE }]);
      await new Promise((resolve) => setTimeout(resolve, 50));
      await runner.rollbackTransaction();
      await runner.release();
      expect(await touch).toEqual([true]);
      expect(log.text).toMatch(/'slow',\s+['"`]UPDATE/);
    }
    expectNoSecret();
  });

  it.each(['advanced-console', 'simple-console', 'formatted-console'] as const)(
    'shows none of them with TypeORM’s own logger: %s',
    async (logger) => {
      const printed: unknown[] = [];
      const print = (...values: unknown[]): void => void printed.push(...values);
      const methods = (['log', 'info', 'warn', 'error'] as const).map((method) =>
        jest.spyOn(console, method).mockImplementation(print),
      );
      try {
        await useAll(await open({ logger, logging: 'all' }));
      } finally {
        for (const method of methods) method.mockRestore();
      }
      log.kept.push(printed);
      if (isServer) expect(log.text).toContain('[values]');
      expectNoSecret();
    },
  );

  it('and its subscribers get none of them', async () => {
    const seen: unknown[] = [];
    class Subscriber {
      beforeQuery(event: { query: unknown; parameters?: unknown }): void {
        seen.push(event.query, event.parameters);
      }
    }
    EventSubscriber()(Subscriber);
    const backend = await open({ subscribers: [Subscriber], logging: false });
    await app.query('SELECT 1');
    expect(seen).toContain('SELECT 1');
    await useAll(backend);
    log.kept.push(seen);
    expectNoSecret();
  });
});
