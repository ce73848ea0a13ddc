import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { bucketOfUser } from '../../../src/backends/redis/buckets.js';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import { POINT } from '../../../src/backends/redis/scripts/claims.js';
import { INSERT } from '../../../src/backends/redis/scripts/insert.js';
import { BackendClient } from '../../../src/core/backend-client.js';
import type { InsertRequest } from '../../../src/core/session-backend.js';
import { SessionStoreError } from '../../../src/core/session-errors.js';
import { inserting, MINUTE, NOW, row, store } from '../../../src/testing/backend-contract/contract-rule.js';
import { onEachRedis, OwnRedis } from '../../support/own-redis.js';
import { onEachRedisCluster, OwnRedisCluster } from '../../support/own-redis-cluster.js';
import { onEachSentinelGroup, OwnSentinelGroup } from '../../support/own-sentinel-group.js';
import { TcpGate } from '../../support/tcp-gate.js';
import { waitUntil } from './support/load.js';
import { CLIENTS, CLUSTER_CLIENTS, SENTINEL_CLIENTS, type TestClient } from './support/redis-clients.js';

/** Milliseconds that a call may take. */
const TIMEOUT = 500;

const LIST = { userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null } as const;

/** Ids as the library makes them: the sessions of Ada are in one bucket, and the visitor in another. */
const idOf = (number: number, bucket = bucketOfUser('ada')) => `01KB000000000000000000000${number}${bucket}`;
const [kept, leaving] = [row(idOf(1)), row(idOf(2))];
const visitor = row(idOf(3, '00'), { userId: null });
const ofTheApp = row('chosen-by-the-app', { tokenHash: null });

const limited = (number: number, replaces: string | null = null): InsertRequest =>
  inserting(row(idOf(number)), { limit: { max: 3, onLimit: 'reject' }, replaces });

const use = { id: kept.id, lastActiveAt: NOW + MINUTE, expiresAt: NOW + 70 * MINUTE, now: NOW };
const change = { ...use, expectedVersion: 1, version: 2, keyId: 'k1', payload: Buffer.from('late') };
const next = { ...kept, tokenHash: 'e'.repeat(64), tokenGeneration: 3 };

/** An app, with two sessions of Ada and one of a visitor. */
interface App {
  readonly name: string;
  /** By which a spec begins and looks. */
  readonly backend: RedisSessionBackend;
  /** What users ask of it: each call is answered after `TIMEOUT`. */
  readonly calls: BackendClient;
  end(): Promise<unknown>;
}

async function openApp(name: string, connected: TestClient): Promise<App> {
  const options = { prefix: `${name.replaceAll(' ', '-')}:` };
  const [backend, other] = [1, 2].map(() => new RedisSessionBackend(connected.client, options));
  if (!backend || !other) throw new Error('not opened');
  await store(backend, kept, leaving, visitor);
  const silent = { warn: () => undefined, error: () => undefined };
  const calls = new BackendClient(other, TIMEOUT, silent);
  await untilServed(() => calls.touch([{ ...use, id: 'nobody' }])); // it knows the clock of the server then
  const end = async () => Promise.all([calls.close(), backend.close(), connected.end()]);
  return { name, backend, calls, end };
}

/** Calls again until it is served. */
async function untilServed(call: () => Promise<unknown>): Promise<void> {
  await waitUntil(() =>
    call().then(
      () => true,
      () => false,
    ),
  );
}

/** An app on each of some clients. */
async function openApps<Place>(
  clients: Readonly<Record<string, (place: Place) => Promise<TestClient>>>,
  place: Place,
): Promise<readonly App[]> {
  return Promise.all(
    Object.entries(clients).map(async ([name, connect]) => openApp(name, await connect(place))),
  );
}

/** What is so of each app, by its name. */
async function ofEach<R>(apps: readonly App[], look: (app: App) => Promise<R>): Promise<Record<string, R>> {
  return Object.fromEntries(await Promise.all(apps.map(async (app) => [app.name, await look(app)] as const)));
}

/** Everything that begins, changes or ends a session is answered that nobody knows what comes of it. */
async function expectRefusals(apps: readonly App[]): Promise<void> {
  const start = performance.now();
  const outcomes = await ofEach(apps, async ({ calls }) => {
    const all = await Promise.allSettled([
      calls.insert(limited(4)),
      calls.insert(limited(5, visitor.id)),
      calls.insert(inserting(ofTheApp)),
      calls.save(change),
      calls.touch([use]),
      calls.changeToken({ id: kept.id, expected: kept, next, now: NOW }),
      calls.delete({ ids: [leaving.id] }),
    ]);
    return all.map((each) => each.status === 'rejected' && each.reason instanceof SessionStoreError);
  });
  expect(outcomes).toEqual(Object.fromEntries(apps.map(({ name }) => [name, Array(7).fill(true)])));
  expect(performance.now() - start).toBeLessThan(4 * TIMEOUT);
}

/** Whatever was kept anywhere has come to the servers, and of all that only the sign-out may have been done. */
async function expectNothingDone(apps: readonly App[]): Promise<void> {
  const looked = [kept.id, visitor.id, ofTheApp.id];
  await ofEach(apps, ({ backend }) => untilServed(() => backend.find(looked)));
  await sleep(1_000);
  const states = await ofEach(apps, async ({ backend }) => {
    const found = await backend.find(looked);
    const listed = (await backend.list(LIST)).map(({ id }) => id).filter((id) => id !== leaving.id);
    await backend.delete({ ids: [leaving.id] });
    const statuses: string[] = [];
    for (const number of [6, 7, 8]) statuses.push((await backend.insert(limited(number))).status);
    return { found, listed, statuses };
  });
  const asBefore = {
    found: [kept, visitor, null],
    listed: [kept.id],
    statuses: ['inserted', 'inserted', 'limit'],
  };
  expect(states).toEqual(Object.fromEntries(apps.map(({ name }) => [name, asBefore])));
}

/** What a server is started with that has its data when it is started again. */
const LASTING = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** The clients of apps, and one of our own. */
const ALL_CLIENTS = {
  ...CLIENTS,
  'a client of our own': async (port: number): Promise<TestClient> => ({
    client: { url: `redis://127.0.0.1:${port}`, socketTimeout: 2 * TIMEOUT }, // its timer outlives it
    end: () => undefined,
  }),
};

/** A method of a client that runs a script. */
type Send = (...words: unknown[]) => Promise<unknown>;

/** A client whose network keeps one script for a while. */
class DelayingRedis extends Redis {
  /** The script that is kept, by its SHA-1. */
  delayed = '';

  override sendCommand(...sent: Parameters<Redis['sendCommand']>): unknown {
    const [command] = sent;
    if (command.args[0] !== this.delayed) return super.sendCommand(...sent);
    setTimeout(() => super.sendCommand(...sent), 2 * TIMEOUT);
    return command.promise;
  }
}

onEachRedis((program) => {
  describe('a call that was refused comes to nothing, on all clients,', () => {
    let server: OwnRedis;
    let gate: TcpGate;
    let apps: readonly App[] = [];
    beforeEach(async () => {
      server = await OwnRedis.make(LASTING, { program });
      gate = new TcpGate({ host: '127.0.0.1', port: server.port });
      await gate.open();
    });
    afterEach(async () => {
      await Promise.all(apps.map((app) => app.end()));
      apps = [];
      await gate.shut();
      await server.remove();
    });

    it('though they keep it until the server is back', async () => {
      apps = await openApps(ALL_CLIENTS, server.port);
      await server.stop();
      await expectRefusals(apps);
      await server.start();
      await expectNothingDone(apps);
    });

    it('though the network delivers it when the cable is back', async () => {
      apps = await openApps(ALL_CLIENTS, gate.port);
      gate.stick();
      await expectRefusals(apps);
      gate.unstick();
      await expectNothingDone(apps);
    });

    it('though they send it again over another connection', async () => {
      apps = await openApps(ALL_CLIENTS, gate.port);
      gate.stick();
      await expectRefusals(apps);
      await gate.shut();
      gate.unstick();
      await gate.open();
      await expectNothingDone(apps);
    });
  });

  describe('a sign-in that the server has done in time', () => {
    let server: OwnRedis;
    let gate: TcpGate;
    beforeAll(async () => {
      server = await OwnRedis.make([], { program });
      gate = new TcpGate({ host: '127.0.0.1', port: server.port });
      await gate.open();
    });
    afterAll(async () => {
      await gate.shut();
      await server.remove();
    });

    it.each(Object.entries(ALL_CLIENTS))(
      'is taken back when its answer comes too late, and the visitor is what he was, on %s',
      async (name, connect) => {
        const app = await openApp(name, await connect(gate.port));
        const { backend, calls } = app;
        for (const [number, replaces] of [null, visitor.id, kept.id].entries()) {
          gate.delayAnswersTo(/payload of 01KB0+[456]/, 1.5 * TIMEOUT);
          await expect(calls.insert(limited(4 + number, replaces))).rejects.toThrow(SessionStoreError);
          gate.delayAnswersTo(null);
          await untilServed(() => backend.find([visitor.id]));
          await waitUntil(async () => (await backend.find([idOf(4 + number)]))[0] === null);
        }
        // The last of them was of the same user, so the session in whose place it came had ended in the same step.
        expect(await backend.find([visitor.id, leaving.id, kept.id])).toEqual([visitor, leaving, null]);
        const statuses: string[] = [];
        for (const number of [7, 8, 9]) statuses.push((await backend.insert(limited(number))).status);
        expect(statuses).toEqual(['inserted', 'inserted', 'limit']);
        await app.end();
      },
    );
  });

  describe('a server', () => {
    let server: OwnRedis;
    let client: DelayingRedis;
    let admin: Redis;
    beforeAll(async () => {
      server = await OwnRedis.make([], { program });
      client = new DelayingRedis(server.port);
      admin = new Redis(server.port);
    });
    beforeEach(() => admin.flushall());
    afterAll(async () => {
      client.disconnect();
      admin.disconnect();
      await server.remove();
    });

    it('leaves a visitor who was about to sign in when that comes too late', async () => {
      const { backend, calls } = await openApp('app', { client, end: () => undefined });
      client.delayed = INSERT.sha;
      await expect(calls.insert(limited(4, visitor.id))).rejects.toThrow(SessionStoreError);
      expect(await backend.find([visitor.id])).toEqual([visitor]); // once the claim is given back
      expect(await backend.find([idOf(4)])).toEqual([null]);
      client.delayed = '';
      expect(await backend.insert(limited(4, visitor.id))).toMatchObject({ status: 'inserted' });
      expect(await backend.find([visitor.id])).toEqual([null]);
    });

    /** How often a script is run for a call. */
    const scriptsOf = async (call: () => Promise<unknown>): Promise<number> => {
      const count = async () => {
        const said = await admin.info('commandstats');
        return Number(/cmdstat_evalsha:calls=(\d+)/.exec(said)?.[1] ?? 0);
      };
      const before = await count();
      await call();
      return (await count()) - before;
    };

    it.each([
      ['an hour ahead of', 60 * MINUTE],
      ['an hour behind', -60 * MINUTE],
    ])('is believed at once, whose clock is %s that of the one before', async (_, gap) => {
      const other = new Redis(server.port);
      const send = (Reflect.get(other, 'evalshaBuffer') as Send).bind(other);
      let isBefore = true;
      const ofBefore = (error: Error): never => {
        const time = /UNTIMELY (\d+)/.exec(error.message)?.[1];
        if (!isBefore || time === undefined) throw error;
        isBefore = false;
        throw new Error(`UNTIMELY ${Number(time) - gap}`);
      };
      Reflect.set(other, 'evalshaBuffer', async (...words: unknown[]) => send(...words).catch(ofBefore));
      const backend = new RedisSessionBackend(other);
      expect(await scriptsOf(() => backend.insert(limited(4)))).toBe(3);
      expect(await scriptsOf(() => backend.insert(limited(5)))).toBe(1);
      other.disconnect();
    });

    it('is asked for its clock with the first call alone', async () => {
      const backend = new RedisSessionBackend(client);
      expect(await scriptsOf(() => backend.insert(limited(4)))).toBe(2);
      expect(await scriptsOf(() => backend.insert(limited(5)))).toBe(1);
    });

    it.each([
      ['comes in time', 0, 5_000, 'done'],
      ['comes when it has been answered', -6_000, 5_000, 'refused'],
      ['left a little later, by a clock that the app has seen elsewhere', 500, 5_000, 'done'],
      ['left a minute later, by such a clock', 60_000, 5_000, 'refused'],
      ['leaves before any clock has been seen', -Infinity, 0, 'refused'],
    ])('does nothing too late or too early: a call that %s', async (_, ahead, patience, outcome) => {
      const [seconds, microseconds] = await admin.time();
      const now = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
      const terms = [Math.max(0, Math.floor(now + ahead)), patience];
      const reply = admin.eval(POINT.source, 1, '{00}:i', 'a', '11', String(NOW), '', '', ...terms);
      const said = await reply.then(
        () => 'done',
        (error: Error) => (/^UNTIMELY \d{13}$/.test(error.message) ? 'refused' : error.message),
      );
      expect([said, await admin.exists('{00}:s:a')]).toEqual([outcome, outcome === 'done' ? 1 : 0]);
    });

    it('does at any time what has no time', async () => {
      const reply = admin.eval(POINT.source, 1, '{00}:i', 'a', '11', String(NOW), '', '', '', '');
      expect(await reply).toEqual(['points', expect.stringMatching(/^11 \d+$/), expect.any(String)]);
    });
  });
});

onEachRedisCluster((program) => {
  it('a call that was refused comes to nothing when the servers of a Cluster are back, on all clients', async () => {
    const cluster = await OwnRedisCluster.make(0, program, LASTING);
    const apps = await openApps(CLUSTER_CLIENTS, cluster.nodes);
    await Promise.all(cluster.servers.map((server) => server.stop()));
    await expectRefusals(apps);
    await Promise.all(cluster.servers.map((server) => server.start()));
    await cluster.isReady();
    await expectNothingDone(apps);
    await Promise.all(apps.map((app) => app.end()));
    await cluster.remove();
  });
});

onEachSentinelGroup((program) => {
  it('a call that was refused comes to nothing when there is a primary behind Sentinel, on all clients', async () => {
    const group = await OwnSentinelGroup.make(program);
    const apps = await openApps(SENTINEL_CLIENTS, group.sentinels);
    const sizes = () => Promise.all(group.servers.map((server) => server.say('DBSIZE')));
    await waitUntil(async () => new Set(await sizes()).size === 1); // the replica has heard of all
    await group.killPrimary();
    await expectRefusals(apps);
    await expectNothingDone(apps);
    await Promise.all(apps.map((app) => app.end()));
    await group.remove();
  });
});
