import { Redis } from 'ioredis';
import { bucketOfUser } from '../../../src/backends/redis/buckets.js';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import { SessionStore } from '../../../src/core/session-store.js';
import {
  insertLimited,
  inserting,
  MINUTE,
  NOW,
  row,
} from '../../../src/testing/backend-contract/contract-rule.js';
import { onEachRedis, OwnRedis } from '../../support/own-redis.js';

/**
 * A client that remembers the commands that it sends, together where no reply came in between: those share a round trip. But for
 * what asks the server what it is, once a second, along with them.
 */
class ListeningRedis extends Redis {
  readonly trips: string[][] = [];
  #isAnswered = true;

  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    const [{ name, promise }] = args;
    if (name === 'info') return super.sendCommand(...args);
    if (this.#isAnswered) this.trips.push([]);
    this.trips.at(-1)?.push(name);
    this.#isAnswered = false;
    promise.catch(() => undefined).finally(() => (this.#isAnswered = true));
    return super.sendCommand(...args);
  }
}

/** An id as the library makes them: 26 characters, and the bucket. */
const idOf = (number: number, bucket: string) => `01KB000000000000000000000${number}${bucket}`;

onEachRedis((program) => {
  let server: OwnRedis;
  let client: ListeningRedis;
  let backend: RedisSessionBackend;
  beforeAll(async () => {
    server = await OwnRedis.make([], { program });
    client = new ListeningRedis(server.port);
    backend = new RedisSessionBackend(client);
    await backend.init();
  });
  afterAll(async () => {
    client.disconnect();
    await server.remove();
  });

  const ada = bucketOfUser('ada');
  const limit = { max: 3, onLimit: 'evict' } as const;
  const mine = row(idOf(1, ada));
  const use = { id: mine.id, lastActiveAt: NOW, expiresAt: NOW + MINUTE, now: NOW };
  const change = { ...use, expectedVersion: 1, version: 2, keyId: 'k1', payload: Buffer.from('p') };

  /** The commands of a call, by round trips, once its script has been loaded. */
  const tripsOf = async (call: () => Promise<unknown>) => {
    client.trips.length = 0;
    await call();
    return client.trips.map((commands) => commands.join(' '));
  };

  it('are one to end a thousand sessions of a user', async () => {
    const many = Array.from({ length: 1_000 }, (_, index) =>
      row(`01KB0000000000000000${String(index).padStart(6, '0')}${bucketOfUser('eve')}`, { userId: 'eve' }),
    );
    await Promise.all(many.map((each) => backend.insert(inserting(each))));
    await backend.delete({ userId: 'eve' }); // the script is loaded
    await Promise.all(many.map((each) => backend.insert(inserting(each))));
    let ended = 0;
    const sent = await tripsOf(async () => (ended = (await backend.delete({ userId: 'eve' })).length));
    expect([ended, sent]).toEqual([1_000, ['evalsha']]);
  });

  it('are one for a call, and two to replace a session, also one of another bucket', async () => {
    const calls: ReadonlyArray<readonly [string, () => Promise<unknown>, readonly string[]]> = [
      ['a sign-in', () => insertLimited(backend, mine, limit), ['evalsha']],
      ['a read', () => backend.find([mine.id]), ['hmget']],
      ['a look at what is open', () => backend.alive([mine.id], NOW), ['hmget']],
      ['a save', () => backend.save([change]), ['evalsha']],
      ['a touch', () => backend.touch([use]), ['evalsha']],
      [
        'a token',
        () =>
          backend.changeToken({ id: mine.id, expected: mine, next: { ...mine, tokenUsed: true }, now: NOW }),
        ['evalsha'],
      ],
      [
        'a list',
        () => backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null }),
        ['evalsha'],
      ],
      [
        'a sign-in that replaces',
        () => backend.insert(inserting(row(idOf(2, ada)), { replaces: mine.id, limit })),
        ['hmget', 'evalsha'],
      ],
      ['a sign-out', () => backend.delete({ ids: [idOf(2, ada)] }), ['evalsha']],
      ['a sign-out everywhere', () => backend.delete({ userId: 'ada' }), ['evalsha']],
      ['a visitor', () => backend.insert(inserting(row(idOf(3, '00'), { userId: null }))), ['evalsha']],
      [
        'a visitor who signs in',
        () => backend.insert(inserting(row(idOf(4, ada)), { replaces: idOf(3, '00'), limit })),
        // It is claimed and read, then there is the new one; nobody waits for the removal.
        ['evalsha hmget', 'evalsha', 'evalsha'],
      ],
    ];
    for (const [, call] of calls) await call(); // loads the scripts
    await client.del(await client.keys('*'));
    const sent: Record<string, readonly string[]> = {};
    for (const [name, call] of calls) sent[name] = await tripsOf(call);
    expect(ada).not.toBe('00');
    expect(sent).toEqual(Object.fromEntries(calls.map(([name, , trips]) => [name, trips])));
  });

  it('are that few for the ids of the store, which end with the bucket of the user', async () => {
    const store = new SessionStore(backend, { plaintext: true, maxPerUser: 2 });
    await store.initSchema();
    const sessions: Array<{ readonly id: string }> = [];
    for (let count = 0; count < 3; count++)
      sessions.push((await store.create({ cart: count }, 'bob')).session);
    expect(sessions.map(({ id }) => id.slice(26))).toEqual(sessions.map(() => bucketOfUser('bob')));
    expect(await store.load(sessions[0]?.id ?? '')).toBeNull();
    expect(await tripsOf(() => store.create({}, 'bob'))).toEqual(['evalsha']);
    expect(await tripsOf(() => store.load(sessions[2]?.id ?? ''))).toEqual(['hmget']);
    expect(await store.listForUser('bob')).toHaveLength(2);
    expect(await tripsOf(() => store.destroyAllForUser('bob'))).toEqual(['evalsha']);
    expect(await store.listForUser('bob')).toEqual([]);
    await store.close();
  });
});
