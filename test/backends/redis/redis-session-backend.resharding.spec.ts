import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { bucketOfUser } from '../../../src/backends/redis/buckets.js';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import type { SessionRow } from '../../../src/core/session-row.js';
import {
  insertLimited,
  inserting,
  MINUTE,
  NOW,
  row,
  store,
} from '../../../src/testing/backend-contract/contract-rule.js';
import { OwnRedisCluster, withOwnRedisCluster } from '../../support/own-redis-cluster.js';
import { SlotMove } from '../../support/slot-move.js';
import { CLUSTER_CLIENTS, type TestClient } from './support/redis-clients.js';

const MAX = 3;
const LIMIT = { max: MAX, onLimit: 'evict' } as const;
const LIST = { userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null } as const;
const USE = { lastActiveAt: NOW + 1, expiresAt: NOW + 90 * MINUTE, now: NOW };

/** Ids that say which bucket their row is in, as those of sessions do. */
const idOf = (number: number, userId = 'ada') =>
  `01K${String(number).padStart(23, '0')}${bucketOfUser(userId)}`;
const rowOf = (number: number, fields: Partial<SessionRow> = {}) =>
  row(idOf(number, fields.userId ?? 'ada'), {
    lastActiveAt: NOW + number,
    tokenHash: String(number).padStart(64, '0'),
    ...fields,
  });
const [FIRST, SECOND, THIRD] = [rowOf(1), rowOf(2), rowOf(3)];
const NEXT = rowOf(4);

withOwnRedisCluster(() => {
  let cluster: OwnRedisCluster;
  beforeAll(async () => {
    cluster = await OwnRedisCluster.make(0);
  });
  afterAll(() => cluster.remove());

  describe.each(Object.entries(CLUSTER_CLIENTS))(
    'a slot that is moved to another master, on %s',
    (_, connect) => {
      let connected: TestClient;
      let backend: RedisSessionBackend;
      let key: string;
      let move: SlotMove | null = null;
      beforeEach(async () => {
        connected ??= await connect(cluster.nodes);
        const prefix = `${randomUUID()}:`;
        key = `${prefix}{${bucketOfUser('ada')}}`;
        backend = new RedisSessionBackend(connected.client, { prefix });
        await store(backend, FIRST, SECOND, THIRD);
      });
      afterEach(async () => {
        // One that failed on the way: the slot is empty then, and whole again.
        if (move !== null) for (const server of cluster.servers) await server.say('FLUSHALL');
        await move?.finish();
        move = null;
      });
      afterAll(() => connected.end());

      /** What is carried over before the call, of the keys of the bucket. */
      const CARRIED: ReadonlyArray<readonly [string, RegExp]> = [
        ['nothing', /^$/],
        ['the index', /:i$/],
        ['the list of the user', /:u:ada$/],
        ['one session', new RegExp(`:s:${FIRST.id}$`)],
        ['all but the index', /:(k|[su]:.*)$/],
        ['all', /:/],
      ];

      describe.each(CARRIED)('when %s is there', (_name, carried) => {
        /** Calls while the slot is on its way. The way is over before the call has to be. */
        async function meanwhile<T>(call: () => Promise<T>): Promise<T> {
          move = await SlotMove.begin(cluster, key);
          await move.carry((await move.keys()).filter((each) => carried.test(each)));
          const result = call();
          result.catch(() => undefined); // until it is looked at
          await sleep(60);
          await move.finish();
          move = null;
          return result;
        }

        it('finds and lists what is there, and stores, touches and rotates it', async () => {
          const save = {
            id: FIRST.id,
            expectedVersion: 1,
            version: 2,
            keyId: 'k1',
            payload: Buffer.from('new'),
            ...USE,
          };
          const next = { ...SECOND, tokenHash: 'e'.repeat(64), tokenGeneration: 3 };
          const [found, listed, ...changed] = await meanwhile(() =>
            Promise.all([
              backend.find([THIRD.id, NEXT.id]),
              backend.list(LIST),
              backend.save([save]),
              backend.touch([{ id: FIRST.id, ...USE }]),
              backend.changeToken({ id: SECOND.id, expected: SECOND, next, now: NOW }),
            ]),
          );
          expect(found).toEqual([THIRD, null]);
          expect(listed).toHaveLength(3);
          expect(changed).toEqual([[true], [true], true]);
          expect(await backend.find([FIRST.id, SECOND.id])).toMatchObject([
            { version: 2 },
            { tokenHash: next.tokenHash },
          ]);
        });

        it('keeps the limit', async () => {
          const result = await meanwhile(() => insertLimited(backend, NEXT, LIMIT));
          expect(result).toMatchObject({ status: 'inserted', evicted: [{ id: FIRST.id }] });
          expect(await backend.list(LIST)).toHaveLength(MAX);
        });

        it('ends one, and all of a user', async () => {
          expect(await meanwhile(() => backend.delete({ ids: [FIRST.id] }))).toMatchObject([
            { id: FIRST.id },
          ]);
          expect(await meanwhile(() => backend.delete({ userId: 'ada' }))).toHaveLength(2);
          expect(await backend.find([FIRST.id, SECOND.id, THIRD.id])).toEqual([null, null, null]);
        });

        it('lets a session of a visitor be replaced by one in another slot', async () => {
          const visitor = rowOf(9, { userId: null });
          const bob = rowOf(10, { userId: 'bob' });
          await store(backend, visitor);
          const build = (replaced: SessionRow | null) => (replaced ? bob : null);
          const result = await meanwhile(() =>
            backend.insert(inserting(bob, { replaces: visitor.id, build })),
          );
          expect(result).toMatchObject({ status: 'inserted', replaced: { id: visitor.id } });
          expect(await backend.find([visitor.id, bob.id])).toEqual([null, bob]);
        });
      });

      it('reads while it stands still half way, and refuses the rest in time, with nothing done', async () => {
        move = await SlotMove.begin(cluster, key);
        await move.carry((await move.keys()).filter((each) => /:i$|:u:ada$/.test(each)));
        const began = performance.now();
        const refused = await Promise.allSettled([
          insertLimited(backend, NEXT, LIMIT),
          backend.delete({ userId: 'ada' }),
          backend.list(LIST),
        ]);
        expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
        expect(performance.now() - began).toBeLessThan(5_000);
        const ids = [FIRST.id, SECOND.id, THIRD.id, NEXT.id];
        expect(await backend.find(ids)).toEqual([FIRST, SECOND, THIRD, null]);
        await move.finish();
        move = null;
        expect(await backend.find(ids)).toEqual([FIRST, SECOND, THIRD, null]);
        expect(await backend.list(LIST)).toHaveLength(3);
      });
    },
  );
});
