import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../../src/backends/typeorm/typeorm-session-backend.js';
import { tokenState } from '../../../../../src/core/rotation-policy.js';
import type { SessionStoreOptions } from '../../../../../src/core/session-options.js';
import { SessionStore } from '../../../../../src/core/session-store.js';
import { RecordingLogger } from '../../../../core/support/open-store.js';
import { GaleraCluster, withGalera } from '../../../../support/galera-cluster.js';
import { OPTIONS, PATIENCE } from '../../support/open-backend.js';
import { Replica, stopReplicas } from '../../support/replica.js';

const MAX = 3;

describe('two nodes of a Galera cluster, each with a replica of the app, on mariadb', () => {
  withGalera(() => {
    let cluster: GaleraCluster;
    let admin: DataSource;
    /** One for each node. */
    let one: SessionStore;
    let other: SessionStore;
    let logger: RecordingLogger;

    beforeAll(async () => {
      cluster = await GaleraCluster.make();
      admin = await new DataSource(cluster.first.options()).initialize();
    }, 120_000);
    afterAll(async () => {
      await admin.destroy();
      await cluster.remove();
    });

    beforeEach(() => {
      logger = new RecordingLogger();
      [one, other] = [openOn(cluster.first), openOn(cluster.second)];
    });
    afterEach(async () => {
      await stopReplicas();
      await Promise.all([one.close(), other.close()]);
      await admin.query('DROP TABLE sessions');
    });

    function openOn(node: GaleraCluster['first']): SessionStore {
      const backend = new TypeOrmSessionBackend(node.options(), { ...OPTIONS, shared: false, logger });
      return new SessionStore(backend, { plaintext: true, timeout: PATIENCE, maxPerUser: MAX }, logger);
    }

    /** A process of its own at each node. */
    async function replicas(more: SessionStoreOptions = {}): Promise<readonly Replica[]> {
      const nodes = [cluster.first, cluster.second];
      const opened = await Promise.all(
        nodes.map((node) => Replica.on(node.options(), { maxPerUser: MAX, ...more })),
      );
      await Promise.all(opened.map((replica) => replica.call('init')));
      return opened;
    }

    /** The highest number of sessions that one of the users has. */
    async function most(users: readonly string[]): Promise<number> {
      const lists = await Promise.all(users.map((user) => one.listForUser(user)));
      return Math.max(...lists.map((list) => list.filter(({ id }) => !id.startsWith('old-')).length));
    }

    it('make the table at the same time, and say once each what is different about them', async () => {
      await Promise.all([one, other].map((store) => store.initSchema()));
      await Promise.all([one, other].map((store) => store.initSchema()));
      const notice = expect.stringContaining('the server is a node of a Galera cluster');
      expect(logger.warnings).toEqual([notice, notice]);
    });

    it.each(['evict', 'reject'] as const)(
      'keep the limit of users who sign in on both for the first time, with onLimit %s',
      async (onLimit) => {
        const both = await replicas({ onLimit });
        const users = Array.from({ length: 60 }, (_, index) => `user-${index}`);
        const refused: string[] = [];
        for (const user of users) {
          const failures = await Promise.all(both.map((replica) => replica.call('signIn', user, 1, MAX)));
          refused.push(...failures.flat());
        }
        expect(await most(users)).toBe(MAX);
        expect(new Set(refused)).toEqual(new Set(onLimit === 'evict' ? [] : ['SessionLimitError']));
        expect(refused).toHaveLength(onLimit === 'evict' ? 0 : MAX * users.length);
      },
    );

    it('exceed the limit of a user who signs in again and again at no moment that is seen', async () => {
      const both = await replicas();
      const signingIn = { isOver: false };
      const counts: number[] = [];
      const watching = (async () => {
        while (!signingIn.isOver) counts.push(await most(['ada']));
      })();
      const failures = await Promise.all(both.map((replica) => replica.call('signIn', 'ada', 8, 16)));
      signingIn.isOver = true;
      await watching;
      expect(failures.flat()).toEqual([]);
      expect(counts.length).toBeGreaterThan(5);
      expect(Math.max(...counts)).toBe(MAX);
      // Nothing is left of what the transactions wrote to meet each other.
      expect(await admin.query('SELECT id FROM sessions')).toHaveLength(MAX);
    });

    it.each<[string, (id: string, token: string) => Promise<unknown>]>([
      ['read', async (_id, token) => (await other.readByToken(token))?.userId === 'ada'],
      ['list', async () => (await other.listForUser('ada')).length === 1],
      ['touch', (id) => other.touch(id, Date.now(), Date.now() + 60_000)],
      ['end', (id) => other.delete(id)],
      ['end for the user', async () => (await other.destroyAllForUser('ada')) === 1],
    ])('%s what began on the other one, however late the node is', async (_name, call) => {
      await Promise.all([one.initSchema(), other.initSchema()]);
      const late = (await new DataSource(cluster.second.options()).initialize()).createQueryRunner();
      for (let round = 0; round < 10; round++) {
        await late.query('FLUSH TABLES WITH READ LOCK'); // the node applies nothing meanwhile
        const { session, token } = await one.create({}, 'ada');
        const called = call(session.id, token.reveal());
        await one.load(session.id);
        await late.query('UNLOCK TABLES');
        expect(await called).toBe(true);
        await one.destroyAllForUser('ada');
      }
      await late.release();
      await late.connection.destroy();
    });

    it('serve nothing that was ended on the other one', async () => {
      let [served, unknown] = [0, 0];
      for (let round = 0; round < 200; round++) {
        const { session, token } = await one.create({}, `user-${round}`);
        if ((await other.readByToken(token)) === null) unknown++;
        await one.delete(session.id);
        if ((await other.readByToken(token)) !== null) served++;
      }
      expect({ served, unknown }).toEqual({ served: 0, unknown: 0 });
    });

    it('end every session of a user that began on the other one', async () => {
      for (let round = 0; round < 50; round++) {
        await Promise.all(Array.from({ length: MAX }, () => one.create({}, 'ada')));
        expect(await other.destroyAllForUser('ada')).toBe(MAX);
      }
      expect(await admin.query('SELECT id FROM sessions')).toEqual([]);
    });

    it('rotate one token with one winner', async () => {
      const both = await replicas();
      const { session } = await one.create({}, 'ada');
      for (let round = 0; round < 10; round++) {
        const before = await one.parts.backend.lookUp(session.id);
        if (before === null) throw new Error('It is gone');
        const won = await Promise.all(
          both.map((replica) => replica.call('rotate', session.id, tokenState(before), 10)),
        );
        expect(won.flat()).toHaveLength(1);
      }
    });

    it('lose no increment of a counter', async () => {
      const both = await replicas();
      const { session } = await one.create({}, 'ada');
      const failures = await Promise.all(both.map((replica) => replica.call('increment', session.id, 50)));
      expect(failures.flat()).toEqual([]);
      expect((await other.load(session.id))?.data).toEqual({ count: 100 });
    });

    it('clean up at the same minute: one does, the other rests', async () => {
      const both = await replicas();
      for (let made = 0; made < 25; made++) await one.put(`old-${made}`, { userId: null, data: {} }, '1ms');
      const turns = await Promise.all(both.map((replica) => replica.call('takeTurns', 1)));
      expect(turns.flat().filter((deleted) => deleted !== null)).toEqual([25]);
    });

    it('fail nowhere in a storm of everything at once, and leave no user over the limit', async () => {
      const both = await replicas({ timeout: PATIENCE });
      const storms = await Promise.all(both.map((replica) => replica.call('storm', 10, 10)));
      expect(storms.flatMap(({ failures }) => failures)).toEqual([]);
      // What conflicts has been refused as a deadlock, and was tried again.
      expect(Math.max(...storms.map(({ deadlocks }) => deadlocks))).toBeGreaterThan(0);
      expect(await most(Array.from({ length: 10 }, (_, index) => `user-${index}`))).toBeLessThanOrEqual(MAX);
    }, 120_000);

    // The last one: it leaves a cluster of one node.
    it('refuse everything at a node that has lost its cluster, until it has one again', async () => {
      const { session, token } = await one.create({}, 'ada');
      await cluster.second.stop();
      await expect(one.create({}, 'ada')).rejects.toThrow(/Could not store a session: .*(?:WSREP|Primary)/);
      await expect(one.readByToken(token)).rejects.toThrow(/Could not read a session: .*WSREP/);
      await admin.query("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=true'");
      for (let isReady = false; !isReady;) {
        const status: unknown = await admin.query("SHOW STATUS LIKE 'wsrep_ready'");
        isReady = JSON.stringify(status).includes('"ON"');
      }
      expect((await one.readByToken(token))?.id).toBe(session.id);
      await one.create({}, 'ada');
      expect(await one.listForUser('ada')).toHaveLength(2);
    });
  });
});
