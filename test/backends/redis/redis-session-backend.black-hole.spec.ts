import { Redis } from 'ioredis';
import { Redis as Redis6 } from 'ioredis6';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import { row, store } from '../../../src/testing/backend-contract/contract-rule.js';
import { OwnRedis, withOwnRedis } from '../../support/own-redis.js';
import { TcpGate } from '../../support/tcp-gate.js';
import { ofIoRedis, type TestClient } from './support/redis-clients.js';

/** Milliseconds that a connection may be silent, as docs/redis.md advises, but sooner. */
const SILENCE = 500;

const IOREDIS = { socketTimeout: SILENCE } as const;
/** Clients that notice silence, and after how many milliseconds. */
const WAYS: ReadonlyArray<readonly [string, number, (port: number) => Promise<TestClient>]> = [
  ['ioredis 5', SILENCE, async (port) => ofIoRedis(new Redis(port, IOREDIS))],
  ['ioredis 6', SILENCE, async (port) => ofIoRedis(new Redis6(port, IOREDIS))],
  [
    'a client of our own',
    5_000, // the default of `timeout`
    async (port) => ({ client: { url: `redis://127.0.0.1:${port}` }, end: () => undefined }),
  ],
];

withOwnRedis(() => {
  it.each(WAYS)(
    'a connection that the network has swallowed is given up after one timeout, however many calls come, on %s',
    async (_, silence, connect) => {
      const server = await OwnRedis.make();
      const gate = new TcpGate({ host: '127.0.0.1', port: server.port });
      await gate.open();
      const connected = await connect(gate.port);
      const backend = new RedisSessionBackend(connected.client);
      try {
        await store(backend, row('a'));
        await sleep(2 * SILENCE); // nobody uses it
        expect(await backend.find(['a'])).toEqual([row('a')]);
        gate.forget();
        const began = performance.now();
        const swallowed = await findUntilFound(backend);
        expect(performance.now() - began).toBeLessThan(silence + 1_000);
        expect(swallowed).toBeGreaterThan(3);
      } finally {
        await backend.close();
        connected.end();
        await gate.shut();
        await server.remove();
      }
    },
  );
});

/** Calls come every 100 ms, until one gets its answer. @returns how many there were before */
async function findUntilFound(backend: RedisSessionBackend): Promise<number> {
  const calls = { count: 0, areAnswered: false };
  const find = async () => {
    const found = await backend.find(['a']).catch(() => null);
    if (found !== null) calls.areAnswered = true;
  };
  for (; !calls.areAnswered && calls.count < 100; calls.count++) {
    void find(); // the next one does not wait for it
    await sleep(100);
  }
  expect(await backend.find(['a'])).toEqual([row('a')]);
  return calls.count;
}
