import { Redis } from 'ioredis';
import { bucketOfUser } from '../../../src/backends/redis/buckets.js';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import type { Word } from '../../../src/backends/redis/connection/redis-connection.js';
import { CLAIM, UNCLAIM } from '../../../src/backends/redis/scripts/claims.js';
import { INSERT } from '../../../src/backends/redis/scripts/insert.js';
import {
  insertLimited,
  inserting,
  MINUTE,
  NOW,
  row,
  store,
} from '../../../src/testing/backend-contract/contract-rule.js';
import { SessionStore } from '../../../src/core/session-store.js';
import { onEachRedis, OwnRedis } from '../../support/own-redis.js';
import { waitUntil } from './support/load.js';

/** A client that can hold back what inserts a row, so that a sign-in stands between the claim and the insert, or lose it. */
class HoldingRedis extends Redis {
  #held: Promise<void> | null = null;
  #lost: ((words: readonly Word[]) => void) | null = null;
  #failing = '';
  /** The words of the last claim. */
  claim: readonly Word[] = [];

  override sendCommand(...sent: Parameters<Redis['sendCommand']>): unknown {
    const [command] = sent;
    const words = command.args as readonly Word[];
    if (words[0] === CLAIM.sha) this.claim = words;
    if (words[0] === this.#failing) {
      command.reject(new Error('Connection is closed.'));
      return command.promise;
    }
    if (words[0] !== INSERT.sha) return super.sendCommand(...sent);
    if (this.#lost !== null) {
      this.#lost(words);
      command.reject(new Error('Connection is closed.'));
    } else if (this.#held === null) return super.sendCommand(...sent);
    else void this.#held.then(() => void super.sendCommand(...sent));
    return command.promise;
  }

  /** Loses the connection under a script; empty: no more. */
  fail(sha: string): void {
    this.#failing = sha;
  }

  /** @returns lets through what is held back */
  hold(): () => void {
    let release = () => {};
    this.#held = new Promise((resolve) => (release = resolve));
    return () => {
      this.#held = null;
      release();
    };
  }

  /** Loses the connection whenever a row is inserted; `null`: no more. */
  lose(instead: ((words: readonly Word[]) => void) | null): void {
    this.#lost = instead;
  }
}

onEachRedis((program) => {
  let server: OwnRedis;
  let client: HoldingRedis;
  let admin: Redis;
  let backend: RedisSessionBackend;
  /** Another process. */
  let other: RedisSessionBackend;
  beforeAll(async () => {
    server = await OwnRedis.make([], { program });
    client = new HoldingRedis(server.port);
    admin = new Redis(server.port);
    backend = new RedisSessionBackend(client, { prefix: 'app:' });
    other = new RedisSessionBackend(admin, { prefix: 'app:' });
    await store(backend, row('warm-up')); // loads the script
  });
  beforeEach(async () => void (await admin.del(await admin.keys('*'))));
  afterAll(async () => {
    client.disconnect();
    admin.disconnect();
    await server.remove();
  });

  const ada = bucketOfUser('ada');
  const key = (id: string) => `app:{${ada}}:s:${id}`;
  const idOf = (number: number, userId = 'ada') =>
    `01KB000000000000000000000${number}${bucketOfUser(userId)}`;
  const mine = (number: number, lastActiveAt = NOW) => row(idOf(number), { lastActiveAt });
  const active = async () => {
    const rows = await other.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null });
    return rows.map(({ id }) => id).toSorted();
  };
  const rejecting = (max: number) => ({ max, onLimit: 'reject' }) as const;
  const evicting = (max: number) => ({ max, onLimit: 'evict' }) as const;

  /** A sign-in as bob in the place of a session of ada, which has been claimed by now. Bob has one session, and no more. */
  async function claiming(replaces: string, max: number) {
    const release = client.hold();
    const next = row(idOf(9, 'bob'), { userId: 'bob' });
    const result = backend.insert(inserting(next, { replaces, limit: rejecting(max) }));
    while ((await admin.hexists(key(replaces), 'c')) === 0);
    return async () => {
      release();
      return (await result).status;
    };
  }

  it('count for a limit that rejects, so that a sign-in that is refused brings none back over it', async () => {
    await store(other, mine(1), mine(2), row(idOf(1, 'bob'), { userId: 'bob' }));
    const goOn = await claiming(idOf(1), 1);
    expect(await insertLimited(other, mine(3), rejecting(2))).toEqual({ status: 'limit' });
    expect(await insertLimited(other, mine(3), rejecting(3))).toMatchObject({ status: 'inserted' });
    expect(await goOn()).toBe('limit');
    expect(await active()).toEqual([idOf(1), idOf(2), idOf(3)]);
  });

  it('are the first that a limit which evicts ends, without a word, and come back no more', async () => {
    await store(other, mine(1), mine(2, NOW - MINUTE), row(idOf(1, 'bob'), { userId: 'bob' }));
    const goOn = await claiming(idOf(1), 1);
    const result = await insertLimited(other, mine(3), evicting(2));
    expect(result).toMatchObject({ status: 'inserted', evicted: [] });
    expect(await goOn()).toBe('limit');
    expect(await active()).toEqual([idOf(2), idOf(3)]);
  });

  it('cost nobody a session, when the sign-in that claimed one comes about', async () => {
    await store(other, mine(1), mine(2, NOW - MINUTE));
    const goOn = await claiming(idOf(1), 1);
    await insertLimited(other, mine(3), evicting(2));
    expect(await goOn()).toBe('inserted');
    expect(await active()).toEqual([idOf(2), idOf(3)]);
  });

  it('do not count when whoever has claimed them has crashed, and are nobody’s to give back then', async () => {
    await store(other, mine(1));
    await admin.hset(key(idOf(1)), { c: 'a claim', a: Date.now() - 2 * MINUTE });
    expect(await insertLimited(other, mine(2), rejecting(1))).toMatchObject({ status: 'inserted' });
    await admin.eval(UNCLAIM.source, 1, `app:{${ada}}:i`, idOf(1), 'a claim');
    expect(await active()).toEqual([idOf(2)]);
  });

  describe('are claimed as they are read, where the new row is another user’s, and are what they were', () => {
    const replacing = (build: () => null) => ({ userId: 'bob', limit: null, replaces: idOf(1), build });

    it('when there is to be no new one', async () => {
      await store(other, mine(1));
      expect(await backend.insert(replacing(() => null))).toEqual({ status: 'refused' });
      expect(await active()).toEqual([idOf(1)]);
    });

    it('when the new one cannot be built', async () => {
      await store(other, mine(1));
      const failing = () => {
        throw new Error('too large');
      };
      await expect(backend.insert(replacing(failing))).rejects.toThrow('too large');
      expect(await active()).toEqual([idOf(1)]);
    });

    it('when they cannot be read', async () => {
      await store(other, mine(1));
      const rest = await admin.hgetBuffer(key(idOf(1)), 'r');
      await admin.hset(key(idOf(1)), 'r', 'damaged');
      await expect(backend.insert(replacing(() => null))).rejects.toThrow('is not a session of this version');
      await admin.hset(key(idOf(1)), 'r', rest ?? '');
      expect(await active()).toEqual([idOf(1)]);
    });

    it('when somebody else has claimed them, who gives them back', async () => {
      await store(other, mine(1), row(idOf(1, 'bob'), { userId: 'bob' }));
      const goOn = await claiming(idOf(1), 1);
      const eve = row(idOf(7, 'eve'), { userId: 'eve' });
      const second = other.insert(inserting(eve, { replaces: idOf(1) }));
      expect(await goOn()).toBe('limit');
      expect(await second).toMatchObject({ status: 'inserted', replaced: { id: idOf(1) } });
      expect(await active()).toEqual([]);
    });
  });

  const use = () => ({ id: idOf(1), lastActiveAt: NOW, expiresAt: NOW + MINUTE, now: NOW });
  const find = async () => (await other.find([idOf(1)]))[0]?.id ?? null;
  const CALLS: Record<string, () => Promise<unknown>> = {
    'is read': async () => (await other.find([idOf(1)]))[0] !== null,
    'is touched': async () => (await other.touch([use()]))[0],
    'is saved': async () => {
      const change = { expectedVersion: 1, version: 2, keyId: 'k1', payload: Buffer.from('p') };
      return (await other.save([{ ...use(), ...change }]))[0];
    },
    'gets a token': () =>
      other.changeToken({ id: idOf(1), expected: mine(1), next: { ...mine(1), tokenUsed: true }, now: NOW }),
    'is replaced': async () => {
      const eve = row(idOf(7, 'eve'), { userId: 'eve' });
      const result = await other.insert(inserting(eve, { replaces: idOf(1) }));
      return result.status === 'inserted' && result.replaced !== null;
    },
  };

  describe.each(Object.entries(CALLS))('are neither there nor gone: one that %s', (_, call) => {
    it.each([
      ['is there when the sign-in is refused', 1, true],
      ['is gone when it comes about', 2, false],
    ])('%s', async (__, max, isThere) => {
      await store(other, mine(1), row(idOf(1, 'bob'), { userId: 'bob' }));
      const goOn = await claiming(idOf(1), max);
      let isDecided = false;
      const answer = call().finally(() => (isDecided = true));
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(isDecided).toBe(false);
      await goOn();
      expect(await answer).toBe(isThere);
    });
  });

  it('have not ended yet for what is open, and keep nobody else from being served', async () => {
    const sessions = new SessionStore(other, { plaintext: true, clock: { now: () => NOW } });
    await sessions.initSchema();
    const [claimed, served] = [await sessions.create({}, 'ada'), await sessions.create({}, 'eve')];
    const [id, theirs] = [claimed.session.id, served.session.id];
    await store(other, row(idOf(1, 'bob'), { userId: 'bob' }));
    const goOn = await claiming(id, 1);
    expect(await other.alive([id, theirs], NOW)).toMatchObject([{ id }, { id: theirs }]);
    const [undecided, found] = [sessions.load(id), sessions.load(theirs)];
    expect(await found).toMatchObject({ id: theirs });
    await goOn();
    expect(await undecided).toMatchObject({ id });
  });

  it('are looked at together by all who wait, and not again for a while when that was in vain', async () => {
    await store(other, mine(1));
    await admin.hset(key(idOf(1)), { c: 'a claim', a: Date.now() });
    const looks = async () => Number(/cmdstat_hmget:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1]);
    const before = await looks();
    const many = await Promise.allSettled(Array.from({ length: 50 }, () => other.find([idOf(1)])));
    expect(new Set(many.map(({ status }) => status))).toEqual(new Set(['rejected']));
    expect((await looks()) - before).toBeLessThan(250);
    const began = performance.now();
    await expect(other.find([idOf(1)])).rejects.toThrow('nobody can say yet');
    expect(performance.now() - began).toBeLessThan(500);
  });

  it('keep others waiting once, and for a moment', async () => {
    await store(other, mine(1), mine(2));
    await admin.hset(key(idOf(1)), { c: 'a claim', a: Date.now() });
    const waits: number[] = [];
    for (const end = performance.now() + 3_000; performance.now() < end;) {
      const began = performance.now();
      await expect(other.find([idOf(1), idOf(2)])).rejects.toThrow('nobody can say yet');
      waits.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(waits.filter((wait) => wait > 80).length).toBeLessThan(4); // on a busy machine; 15 and more if each waits
  });

  it('are nobody’s who does not say since when', async () => {
    await store(other, mine(1), mine(2));
    await admin.hset(key(idOf(1)), 'c', 'a claim without an age');
    expect(await other.find([idOf(1), idOf(2)])).toMatchObject([null, { id: idOf(2) }]);
  });

  it.each([
    ['by its id', () => ({ ids: [idOf(1)] })],
    ['with all of the user', () => ({ userId: 'ada' })],
  ])('come back no more when they are signed out meanwhile, %s', async (_, selection) => {
    await store(other, mine(1), row(idOf(1, 'bob'), { userId: 'bob' }));
    const goOn = await claiming(idOf(1), 1);
    await other.delete(selection());
    expect(await goOn()).toBe('limit');
    expect(await find()).toBeNull();
  });

  it('are not claimed again by a claim that comes late', async () => {
    await store(other, mine(1), row(idOf(1, 'bob'), { userId: 'bob' }));
    const goOn = await claiming(idOf(1), 1);
    expect(await goOn()).toBe('limit');
    await admin.call('EVALSHA', ...(client.claim as string[]));
    expect(await active()).toEqual([idOf(1)]);
  });

  describe('are given back', () => {
    const bob = () => row(idOf(9, 'bob'), { userId: 'bob' });
    const signIn = () => backend.insert(inserting(bob(), { replaces: idOf(1) }));
    /** How often the server has waited for a replica. */
    const waits = async () =>
      Number(/cmdstat_wait:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1] ?? 0);
    beforeEach(() => store(other, mine(1)));
    afterEach(async () => {
      client.lose(null);
      client.fail('');
      await admin.config('SET', 'maxmemory', '0');
      await admin.config('SET', 'min-replicas-to-write', '0');
    });

    it.each([
      ['is full', 'maxmemory', 'OOM'],
      ['lacks a replica', 'min-replicas-to-write', 'NOREPLICAS'],
    ])('when the server %s, and refuses the new one', async (_, setting, message) => {
      const release = client.hold();
      const result = signIn();
      while ((await admin.hexists(key(idOf(1)), 'c')) === 0);
      await admin.config('SET', setting, '1');
      release();
      await expect(result).rejects.toThrow(message);
      await admin.config('SET', setting, '0');
      expect(await find()).toBe(idOf(1)); // waits until it is given back
    });

    it('when Redis is away for a moment as the sign-in is refused', async () => {
      await store(other, row(idOf(1, 'bob'), { userId: 'bob' }));
      const goOn = await claiming(idOf(1), 1);
      client.fail(UNCLAIM.sha);
      expect(await goOn()).toBe('limit');
      client.fail('');
      await waitUntil(async () => (await admin.hexists(key(idOf(1)), 'c')) === 0);
      expect(await find()).toBe(idOf(1));
    });

    it('when the answer to the claim is lost', async () => {
      client.fail(CLAIM.sha);
      await expect(signIn()).rejects.toThrow('Connection is closed');
      expect(await admin.hexists(key(idOf(1)), 'c')).toBe(0);
      expect(await find()).toBe(idOf(1));
    });

    it('before the backend is closed', async () => {
      const closing = new RedisSessionBackend(client, { prefix: 'app:' });
      client.lose(() => undefined);
      const next = inserting(bob(), { replaces: idOf(1) });
      await expect(closing.insert(next)).rejects.toThrow('Connection is closed');
      await closing.close();
      expect(await admin.hexists(key(idOf(1)), 'c')).toBe(0);
    });

    it('before the backend is closed, also when Redis was away for a moment before', async () => {
      const closing = new RedisSessionBackend(client, { prefix: 'app:' });
      await store(other, row(idOf(1, 'bob'), { userId: 'bob' }));
      client.fail(UNCLAIM.sha);
      const refused = inserting(bob(), { replaces: idOf(1), limit: rejecting(1) });
      expect(await closing.insert(refused)).toEqual({ status: 'limit' });
      client.fail('');
      expect(await admin.hexists(key(idOf(1)), 'c')).toBe(1);
      await closing.close();
      expect(await admin.hexists(key(idOf(1)), 'c')).toBe(0);
    });

    it('however many at once', async () => {
      const rows = ['ada', 'eve', 'dan'].flatMap((userId) =>
        [2, 3, 4, 5].map((number) => row(idOf(number, userId), { userId })),
      );
      await store(other, ...rows);
      client.fail(UNCLAIM.sha);
      const refused = ({ id }: { readonly id: string }) =>
        backend.insert({ userId: 'bob', limit: null, replaces: id, build: () => null });
      expect(await Promise.all(rows.map(refused))).toEqual(rows.map(() => ({ status: 'refused' })));
      client.fail('');
      for (const each of rows) expect(await other.find([each.id])).toMatchObject([{ id: each.id }]);
    });

    it('without a key for each sign-in that a server which is full has refused', async () => {
      await admin.config('SET', 'maxmemory', '1');
      for (let times = 0; times < 5; times++) await expect(signIn()).rejects.toThrow('OOM');
      expect(await find()).toBe(idOf(1));
      expect(await admin.keys('*:x:*')).toEqual([]);
    });

    it('to the replica as well, which has heard of the claim', async () => {
      const replica = await OwnRedis.make(['--replicaof', '127.0.0.1', String(server.port)], { program });
      const waiting = { prefix: 'app:', durability: 'replica', durabilityTimeout: 2_000 } as const;
      const confirmed = new RedisSessionBackend(client, waiting);
      await store(other, row(idOf(1, 'bob'), { userId: 'bob' }));
      await waitUntil(async () => (await admin.wait(1, 50)) === 1);
      const limit = rejecting(1);
      const refuse = () => confirmed.insert(inserting(bob(), { replaces: idOf(1), limit }));
      await refuse(); // which learns the clock
      const before = await waits();
      const result = await refuse();
      const promoted = new Redis(replica.port);
      expect(result).toEqual({ status: 'limit' });
      expect(await promoted.hexists(key(idOf(1)), 'c')).toBe(0);
      expect((await waits()) - before).toBe(3); // for the claim, what the limit refused, and this
      promoted.disconnect();
      await replica.remove();
    });

    it('and no replica is waited for, again and again, where there is none', async () => {
      const waiting = { prefix: 'app:', durability: 'replica', durabilityTimeout: 20 } as const;
      const confirmed = new RedisSessionBackend(client, waiting);
      const refused = confirmed.insert(inserting(bob(), { replaces: idOf(1) }));
      await expect(refused).rejects.toThrow('No replica confirmed');
      expect(await find()).toBe(idOf(1));
      const before = await waits();
      await new Promise((resolve) => setTimeout(resolve, 1_200)); // two more tries
      expect(await waits()).toBe(before);
    });

    it('when the connection is lost before the new one is there, which never comes then', async () => {
      const sent: Array<readonly Word[]> = [];
      client.lose((words) => sent.push(words));
      await expect(signIn()).rejects.toThrow('Connection is closed');
      expect(await find()).toBe(idOf(1));
      expect(sent).toHaveLength(2);
      for (const words of sent) await admin.call('EVALSHA', ...(words as string[]));
      expect(await other.find([idOf(1), bob().id])).toMatchObject([{ id: idOf(1) }, null]);
    });

    it('when it is lost behind that, and the new one, of which nobody has the token, goes', async () => {
      client.lose((words) => void admin.call('EVALSHA', ...(words as string[])));
      await expect(signIn()).rejects.toThrow('Connection is closed');
      expect(await find()).toBe(idOf(1));
      expect(await other.find([bob().id])).toEqual([null]);
    });

    it('when no replica confirms the new one, which goes as well, and takes no place of its user', async () => {
      const waiting = { prefix: 'app:', durability: 'replica', durabilityTimeout: 20 } as const;
      const confirmed = new RedisSessionBackend(admin, waiting);
      const limit = evicting(2);
      const refused = (number: number) =>
        expect(confirmed.insert(inserting(mine(number), { limit }))).rejects.toThrow('No replica confirmed');
      for (const number of [2, 3, 4]) {
        await refused(number);
        await admin.ping(); // what nobody waits for has been done
        expect(await active()).toEqual([idOf(1)]);
      }
    });
  });
});
