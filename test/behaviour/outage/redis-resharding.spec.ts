import { SessionEvents, SessionModule } from 'nest-sessions';
import { RedisSessionBackend } from 'nest-sessions/redis';
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { bucketOfUser } from '../../../src/backends/redis/buckets.js';
import { CLUSTER_CLIENTS, type TestClient } from '../../backends/redis/support/redis-clients.js';
import { closeApps, KEY, startApp } from '../../support/nest-app.js';
import { OwnRedisCluster, withOwnRedisCluster } from '../../support/own-redis-cluster.js';
import { SlotMove } from '../../support/slot-move.js';
import { BalancedClient } from '../replicas/support/balanced-client.js';
import { CountController } from '../replicas/support/count-controller.js';

const MAX_PER_USER = 3;
const USERS = ['ada', 'bob', 'eve', 'joe'];

withOwnRedisCluster(() => {
  let cluster: OwnRedisCluster;
  beforeAll(async () => {
    cluster = await OwnRedisCluster.make(1);
  });
  afterAll(() => cluster.remove());

  const WAYS = Object.entries(CLUSTER_CLIENTS).flatMap(([name, connect], index) =>
    (['primary', 'replica'] as const)
      .filter((durability) => durability === 'primary' || index % 2 === 0)
      .map((durability) => [name, durability, connect] as const),
  );

  describe.each(WAYS)(
    'a Cluster whose slots move under load, on %s with durability: %s',
    (_, durability, connect) => {
      let connected: TestClient;
      let address: string;
      let prefix: string;
      let events: string[];
      let load: { isOver: boolean };
      beforeEach(async () => {
        prefix = `${randomUUID()}:`;
        connected = await connect(cluster.nodes);
        const backend = new RedisSessionBackend(connected.client, {
          prefix,
          durability,
          durabilityTimeout: 4_000,
        });
        const rotation = { every: '1s', grace: '500ms' } as const;
        const options = { key: KEY, maxPerUser: MAX_PER_USER, rotation, backend };
        const app = await startApp({
          imports: [SessionModule.forRoot(options)],
          controllers: [CountController],
        });
        events = [];
        load = { isOver: false };
        for (const name of ['rotated', 'reuse'] as const)
          app.get(SessionEvents).on(name, () => events.push(name));
        await app.listen(0, '127.0.0.1');
        const { port } = (app.getHttpServer() as import('node:http').Server).address() as AddressInfo;
        address = `http://127.0.0.1:${port}`;
      });
      afterEach(async () => {
        load.isOver = true;
        await closeApps();
        connected.end();
        for (const server of cluster.servers) await server.say('FLUSHALL');
      });

      const newClient = (user: string) => new BalancedClient({ addresses: [address] }, user);

      /** Moves the slot of a user to another master, with pauses in between. */
      async function move(user: string, pause: number): Promise<void> {
        const slot = await SlotMove.begin(cluster, `${prefix}{${bucketOfUser(user)}}`);
        for (const key of await slot.keys()) {
          await slot.carry([key]);
          await sleep(pause);
        }
        await slot.finish();
      }

      it('loses nobody and nothing, keeps the limit, ends what it says it ends, and takes nobody for a thief', async () => {
        const clients = USERS.map(newClient);
        expect(await Promise.all(clients.map((client) => client.signIn()))).toEqual(clients.map(() => 201));
        const loads = clients.map((client) => client.goOn(load));
        for (let round = 0; round < 3; round++) for (const user of USERS) await move(user, 20);

        const devices = Array.from({ length: 6 }, () => newClient('zoe'));
        const signIns = devices.map((device) => device.signIn());
        await move('zoe', 20);
        const statuses = await Promise.all(signIns);
        expect(new Set(statuses)).toEqual(new Set([201]));
        const seen = await Promise.all(devices.map((device) => device.send('GET', '/devices')));
        const served = seen.filter(({ status }) => status === 200);
        expect(served.map(({ text }) => text)).toEqual(['3', '3', '3']);

        const last = devices[seen.findIndex(({ status }) => status === 200)];
        const moving = move('zoe', 20);
        expect((await last?.send('POST', '/logout-all'))?.status).toBe(201);
        const after = await Promise.all(devices.map((device) => device.send('GET', '/count')));
        await moving;
        expect(new Set(after.map(({ status }) => status))).toEqual(new Set([401]));

        load.isOver = true;
        await Promise.all(loads);
        expect(clients.flatMap(({ faults }) => faults)).toEqual([]);
        for (const client of clients) expect(await client.check()).toBe(true);
        expect(new Set(events)).toEqual(new Set(['rotated']));
        expect(Math.min(...clients.map(({ counted }) => counted))).toBeGreaterThan(5);
      });
    },
  );
});
