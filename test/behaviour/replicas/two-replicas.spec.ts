import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { OwnRedis, withOwnRedis } from '../../support/own-redis.js';
import { onEachOwnServer, OwnServer } from '../../support/own-server.js';
import { BalancedClient, type Balancer } from './support/balanced-client.js';
import { ReplicaProcess, type ReplicaSettings } from './support/replica-process.js';

/** A server that keeps what it has acknowledged, and can be ended at once and started again. */
interface Server {
  stop(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

const CLIENTS = 8;
const MAX_PER_USER = 3;
/** Seconds of load beside the events. `REPLICA_SECONDS=600` makes it ten minutes. */
const SECONDS = Number(process.env['REPLICA_SECONDS'] ?? 10);

const newKey = () => randomBytes(32).toString('base64url');

function describeReplicas(
  make: () => Promise<{ server: Server; storage: ReplicaSettings['storage'] }>,
): void {
  let server: Server;
  let storage: ReplicaSettings['storage'];
  const replicas: ReplicaProcess[] = [];
  const balancer: Balancer = { addresses: [] };
  let keys: readonly string[] = [newKey()];

  beforeAll(async () => {
    ({ server, storage } = await make());
    for (let count = 0; count < 2; count++) await join();
  });
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.end('SIGKILL')));
    await server.remove();
  });

  const known = () => (balancer.addresses = replicas.map(({ address }) => address));

  async function join(): Promise<void> {
    const settings = { storage, keys, maxPerUser: MAX_PER_USER };
    replicas.push(await ReplicaProcess.start(settings));
    known();
  }

  /** Takes the oldest one out. `SIGKILL`: the balancer finds out afterwards. */
  async function leave(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const [oldest] = replicas;
    if (signal === 'SIGKILL') await oldest?.end(signal);
    replicas.shift();
    known();
    if (signal === 'SIGTERM') await oldest?.end(signal);
  }

  it('lose nobody and nothing through crashes, a deployment with new keys, and a restart of the storage', async () => {
    const clients = Array.from(
      { length: CLIENTS },
      (_, index) => new BalancedClient(balancer, `user-${index}`),
    );
    expect(await Promise.all(clients.map((client) => client.signIn()))).toEqual(clients.map(() => 201));
    const load = { isOver: false };
    const loads = clients.map((client) => client.goOn(load));
    await sleep((SECONDS * 1_000) / 2);

    // A crash, and one that takes its place.
    await leave('SIGKILL');
    await join();

    // A deployment, one replica after the other: the new key is known everywhere before anything is sealed by it.
    const [first = ''] = keys;
    const next = newKey();
    for (const ring of [
      [first, next],
      [next, first],
    ]) {
      keys = ring;
      for (let count = 0; count < 2; count++) {
        await join();
        await leave('SIGTERM');
      }
    }

    await server.stop();
    await sleep(1_000);
    await server.start();
    await sleep((SECONDS * 1_000) / 2);
    load.isOver = true;
    await Promise.all(loads);

    expect(clients.flatMap(({ faults }) => faults)).toEqual([]);
    for (const client of clients) expect(await settled(() => client.check())).toBe(true);
    const [counted, unknown] = [sum(clients, 'counted'), sum(clients, 'unknown')];
    expect(counted).toBeGreaterThan(CLIENTS * SECONDS);
    expect(unknown).toBeLessThan(counted);
  });

  it('keep the limit when one user signs in at both at once, again and again', async () => {
    const devices = Array.from({ length: 24 }, () => new BalancedClient(balancer, 'ada'));
    for (const [index, device] of devices.entries())
      if (index % 2 === 1) await device.send('GET', '/nowhere');
    const statuses = await Promise.all(devices.map((device) => device.signIn()));
    expect(new Set(statuses)).toEqual(new Set([201]));
    const seen = await Promise.all(devices.map((device) => device.send('GET', '/devices')));
    const served = seen.filter(({ status }) => status === 200);
    expect(served.map(({ text }) => text)).toEqual(
      Array.from({ length: MAX_PER_USER }, () => `${MAX_PER_USER}`),
    );
  });

  it('serve no session that was revoked at the other one, from the moment that this is acknowledged', async () => {
    for (let round = 0; round < 10; round++) {
      const [one, other] = [new BalancedClient(balancer, 'bob'), new BalancedClient(balancer, 'bob')];
      await one.signIn();
      other.cookie = one.cookie;
      expect((await one.send('POST', '/logout-all')).status).toBe(201);
      const after = await Promise.all([0, 1, 2, 3].map(() => other.send('GET', '/count')));
      expect(after.map(({ status }) => status)).toEqual([401, 401, 401, 401]);
    }
  });
}

/** The first answer, when storage that has just come back gives one. */
async function settled(ask: () => Promise<boolean | null>): Promise<boolean | null> {
  for (let tries = 0; tries < 50; tries++) {
    const answer = await ask();
    if (answer !== null) return answer;
    await sleep(100);
  }
  return null;
}

function sum(clients: readonly BalancedClient[], what: 'counted' | 'unknown'): number {
  return clients.reduce((total, client) => total + client[what], 0);
}

onEachOwnServer('two replicas', (kind) => {
  describeReplicas(async () => {
    const server = await OwnServer.make(kind);
    return { server, storage: server.options() };
  });
});

describe('two replicas, on Redis', () => {
  withOwnRedis(() => {
    describeReplicas(async () => {
      const server = await OwnRedis.make(['--appendonly', 'yes', '--appendfsync', 'always']);
      return { server, storage: { url: server.url } };
    });
  });
});
