import { randomUUID } from 'node:crypto';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import { describeSessionBackend } from '../../../src/testing/describe-session-backend.js';
import { onEachRedis, OwnRedis } from '../../support/own-redis.js';
import { CLIENTS, type TestClient } from './support/redis-clients.js';

onEachRedis((program) => {
  let server: OwnRedis;
  beforeAll(async () => {
    server = await OwnRedis.make([], { program });
  });
  afterAll(() => server.remove());

  describe.each(Object.entries(CLIENTS))('on %s', (name, connect) => {
    let clients: readonly TestClient[];
    beforeAll(async () => {
      clients = await Promise.all([connect(server.port), connect(server.port)]);
    });
    afterAll(() => clients.forEach((each) => each.end()));

    /** An empty storage: a prefix that nobody has used. */
    const open = () => {
      const prefix = `${randomUUID()}:`;
      const [one, other] = clients.map(({ client }) => new RedisSessionBackend(client, { prefix }));
      if (!one || !other) throw new Error('not connected');
      return [one, other] as const;
    };
    describeSessionBackend(`RedisSessionBackend on ${name}`, open);
  });

  describe('on a client of its own', () => {
    describeSessionBackend('RedisSessionBackend', () => {
      const options = { prefix: `${randomUUID()}:` };
      return [
        new RedisSessionBackend({ url: server.url }, options),
        new RedisSessionBackend({ url: server.url }, options),
      ];
    });
  });
});
