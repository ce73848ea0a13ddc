import { randomUUID } from 'node:crypto';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import type { EndedSessions } from '../../../src/core/session-bus.js';
import { inserting, row } from '../../../src/testing/backend-contract/contract-rule.js';
import { describeSessionBackend } from '../../../src/testing/describe-session-backend.js';
import { onEachSentinelGroup, OwnSentinelGroup } from '../../support/own-sentinel-group.js';
import { Load, waitUntil } from './support/load.js';
import { SENTINEL_CLIENTS, type TestClient } from './support/redis-clients.js';

onEachSentinelGroup((program) => {
  let group: OwnSentinelGroup;
  let clients: ReadonlyArray<{ readonly name: string; readonly pair: readonly [TestClient, TestClient] }>;
  beforeAll(async () => {
    group = await OwnSentinelGroup.make(program);
    clients = await Promise.all(
      Object.entries(SENTINEL_CLIENTS).map(async ([name, connect]) => ({
        name,
        pair: [await connect(group.sentinels), await connect(group.sentinels)] as const,
      })),
    );
  });
  afterAll(async () => {
    await Promise.all(clients.flatMap(({ pair }) => pair.map((each) => each.end())));
    await group.remove();
  });

  /** Two backends over an empty storage. */
  const openOn = (name: string, options = {}) => {
    const pair = clients.find((each) => each.name === name)?.pair;
    if (!pair) throw new Error(`no client is called ${name}`);
    const prefix = `${randomUUID()}:`;
    return [
      new RedisSessionBackend(pair[0].client, { prefix, ...options }),
      new RedisSessionBackend(pair[1].client, { prefix, ...options }),
    ] as const;
  };

  describe.each(Object.keys(SENTINEL_CLIENTS))('behind Sentinel, on %s', (name) => {
    describeSessionBackend(`RedisSessionBackend on ${name}`, () => openOn(name));

    it('is healthy, and says which server it is about', async () => {
      const [backend, other] = openOn(name, { durability: 'replica' });
      await backend.init();
      expect(await backend.health()).toMatchObject({ problems: [], warnings: [] });
      await Promise.all([backend.close(), other.close()]);
    });

    it('waits for the replica, for calls that are made at once', async () => {
      const [backend, other] = openOn(name, { durability: 'replica', durabilityTimeout: 5_000 });
      const ids = Array.from({ length: 50 }, (_, index) => `session-${index}`);
      await Promise.all(ids.map((id) => backend.insert(inserting(row(id, { userId: id })))));
      expect((await other.find(ids)).every((each) => each !== null)).toBe(true);
      await Promise.all([backend.close(), other.close()]);
    });
  });

  it('hears on each client, and says that it may have missed something when its connection was lost', async () => {
    const listening = clients.map(({ name }) => {
      const [one, other] = openOn(name);
      const heard: EndedSessions[] = [];
      const stop = one.bus().subscribe((ended) => heard.push(ended));
      const end = async () => Promise.all([stop(), one.close(), other.close()]);
      return { heard, publish: () => other.bus().publish(['a']), end };
    });
    await waitUntil(() => listening.every(({ heard }) => heard.length === 1));
    await Promise.all(listening.map(({ publish }) => publish()));
    await waitUntil(() => listening.every(({ heard }) => heard.length === 2));
    expect(listening.map(({ heard }) => heard.splice(0))).toEqual(listening.map(() => ['all', ['a']]));
    await (await group.primary())?.say('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await waitUntil(() => listening.every(({ heard }) => heard[0] === 'all'));
    await Promise.all(listening.map(({ end }) => end()));
  });

  it('loses nothing that `replica` acknowledged when the primary is killed under load, and goes on by itself', async () => {
    const running = clients.map(({ name }) => {
      const backends = openOn(name, { durability: 'replica', durabilityTimeout: 300 });
      const heard: EndedSessions[] = [];
      const stop = backends[1].bus().subscribe((ended) => heard.push(ended));
      return { name, backends, heard, stop, load: new Load(backends[0], 4) };
    });
    await waitUntil(() => running.every(({ load }) => load.kept.size >= 40 && load.ended.size >= 20));
    const killed = await group.killPrimary();
    for (const { heard } of running) heard.length = 0;
    await group.bringBack(killed);
    const enough = running.map(({ load }) => load.acknowledged + 60);
    await waitUntil(() => running.every(({ load }, index) => load.acknowledged > (enough[index] ?? 0)));
    await Promise.all(running.map(({ load }) => load.stop()));

    const undone = running.map(async ({ name, load, backends }) => [name, await load.undoneIn(backends[1])]);
    expect(await Promise.all(undone)).toEqual(clients.map(({ name }) => [name, 0]));
    for (const { name, backends, heard, stop } of running) {
      expect((await backends[0].health()).problems).toEqual([]);
      await waitUntil(() => heard.includes('all'));
      heard.length = 0;
      await backends[0].bus().publish(['b']);
      await waitUntil(() => heard.length > 0);
      expect([name, heard]).toEqual([name, [['b']]]);
      await stop();
      await Promise.all(backends.map((each) => each.close()));
    }
    await group.isReady();
  });
});
