import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { inserting, NOW, row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import { onEachOwnServer } from '../../../support/own-server.js';
import { ServerPair } from '../../../support/server-pair.js';
import { OPTIONS } from '../support/open-backend.js';

const READ_ONLY = /the server is read-only, and sessions need a primary/;
const USE = { lastActiveAt: NOW + 1, expiresAt: NOW + 9, now: NOW };
const CALLS: Record<string, (backend: TypeOrmSessionBackend) => Promise<unknown>> = {
  'a look-up': (backend) => backend.find(['a']),
  'a look-up of a session that is not there': (backend) => backend.find(['other']),
  'what is open': (backend) => backend.alive(['a'], NOW),
  'a list': (backend) => backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null }),
  'an empty list': (backend) => backend.list({ userId: 'bob', now: NOW, orderBy: 'createdAt', limit: 3 }),
  'a walk': (backend) =>
    backend.walk({
      now: NOW,
      cursor: null,
      batchSize: 10,
      limit: 10,
      activeSince: null,
      authenticated: null,
    }),
  'the keys in use': (backend) => backend.keysInUse(),
  'a clean-up': (backend) => backend.prune({ now: NOW, cursor: null, batchSize: 10 }),
  'a sign-in that the limit would refuse': (backend) =>
    backend.insert(inserting(row('b'), { limit: { max: 1, onLimit: 'reject' } })),
};
const WRITES: Record<string, (backend: TypeOrmSessionBackend) => Promise<unknown>> = {
  'a sign-in': (backend) => backend.insert(inserting(row('b'), { limit: { max: 1, onLimit: 'evict' } })),
  'an insert': (backend) => backend.insert(inserting(row('b', { userId: null }))),
  'a touch': (backend) => backend.touch([{ id: 'a', ...USE }]),
  'a logout': (backend) => backend.delete({ ids: ['a'] }),
  'the end of all sessions of a user': (backend) => backend.delete({ userId: 'ada' }),
};

onEachOwnServer('a server that is read-only', (kind) => {
  let pair: ServerPair;
  let primary: TypeOrmSessionBackend;

  beforeAll(async () => {
    pair = await ServerPair.make(kind);
    primary = new TypeOrmSessionBackend(pair.options(pair.first), OPTIONS);
    await primary.init();
    await store(primary, row('a'));
    // So that the standby has both.
    await pair.follow();
  });
  afterAll(async () => {
    await primary.close();
    await pair.remove();
  });

  it.each(Object.entries({ ...CALLS, ...WRITES }))(
    'a standby, reached by mistake: %s fails, and says why',
    async (name, call) => {
      const backend = new TypeOrmSessionBackend(pair.options(pair.second), OPTIONS);
      const expected = name in CALLS ? READ_ONLY : /read-only/;
      await expect(call(backend)).rejects.toThrow(expected);
      await backend.close();
    },
  );

  it('an administrator, who may write there, is refused as well', async () => {
    const backend = new TypeOrmSessionBackend(pair.second.options(), OPTIONS);
    for (const call of Object.values(CALLS)) await expect(call(backend)).rejects.toThrow(READ_ONLY);
    await backend.close();
  });

  it('asks nothing more where something is found, and says so in the same statement', async () => {
    const statements: string[] = [];
    const app = new DataSource({
      ...pair.options(pair.first),
      logging: true,
      logger: {
        logQuery: (sql: string) => statements.push(sql),
        logQueryError: () => undefined,
        logQuerySlow: () => undefined,
        logSchemaBuild: () => undefined,
        logMigration: () => undefined,
        log: () => undefined,
      },
    });
    await app.initialize();
    const backend = new TypeOrmSessionBackend(app, OPTIONS);
    statements.splice(0);
    expect(await backend.find(['a'])).toEqual([row('a')]);
    expect(await backend.alive(['a'], NOW)).toMatchObject([{ id: 'a' }]);
    expect(await backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null })).toEqual([
      row('a'),
    ]);
    expect(statements).toHaveLength(3);
    expect(await backend.find(['other'])).toEqual([null]);
    expect(statements).toHaveLength(5);
    await app.destroy();
  });
});
