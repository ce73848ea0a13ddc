import { jest } from '@jest/globals';
import type { Redis } from 'ioredis';
import { bucketOfId, bucketOfUser } from '../../../src/backends/redis/buckets.js';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import type { SessionRow } from '../../../src/core/session-row.js';
import { SessionStore } from '../../../src/core/session-store.js';
import {
  insertLimited,
  inserting,
  MINUTE,
  NOW,
  row,
  store,
  deleteActive,
} from '../../../src/testing/backend-contract/contract-rule.js';
import { OwnRedis, withOwnRedis } from '../../support/own-redis.js';
import { waitUntil } from './support/load.js';
import { closeAll, openBackend, openClient, openOwnBackend } from './support/open-redis.js';
import { reportOf } from './support/process.js';

const ofAda = { userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null } as const;
const ids = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id).toSorted();

/** An anonymous session. */
const visitor = (id: string) => row(id, { userId: null, authenticatedAt: null });

/** The bytes of a change of the payload. */
const saving = ({ id, version }: SessionRow, next: number) => ({
  id,
  expectedVersion: version,
  version: next,
  keyId: 'k2',
  payload: Buffer.from('changed'),
  lastActiveAt: NOW,
  expiresAt: NOW + 60 * MINUTE,
  now: NOW,
});

withOwnRedis(() => {
  let server: OwnRedis;
  let client: Redis;
  let backend: RedisSessionBackend;
  beforeAll(async () => {
    server = await OwnRedis.make();
  });
  afterAll(() => server.remove());
  beforeEach(async () => {
    client = openClient(server.port);
    await client.flushall();
    backend = openBackend(server.port, { prefix: 'app:' });
  });
  afterEach(closeAll);

  const rowKey = (id: string, bucket = bucketOfId(id)) => `app:{${bucket}}:s:${id}`;

  describe('keys', () => {
    it('all have an expiry, whatever is done', async () => {
      await store(backend, row('a'), row('b'), visitor('v'), row('k', { tokenHash: null }));
      await backend.save([saving(row('a'), 77)]);
      await backend.touch([{ id: 'b', lastActiveAt: NOW, expiresAt: NOW + 90 * MINUTE, now: NOW }]);
      await backend.insert(inserting(row('new'), { replaces: 'v' }));
      await backend.insert(inserting(row('k', { userId: 'bob', version: 5 }), { replaces: 'k' }));
      await backend.delete({ ids: ['a'] });
      const keys = await client.keys('*');
      expect(keys.length).toBeGreaterThan(6);
      const lives = await Promise.all(keys.map((key) => client.pttl(key)));
      expect(keys.filter((_, index) => !((lives[index] ?? 0) > 0))).toEqual([]);
    });

    it('are forgotten an hour after what they hold has ended, and the list of a user not before', async () => {
      const now = Date.now();
      const times = { createdAt: now, lastActiveAt: now };
      await store(
        backend,
        row('a', { ...times, expiresAt: now + 10 * MINUTE, absoluteExpiresAt: now + 600 * MINUTE }),
        row('b', { ...times, expiresAt: now + 10 * MINUTE, absoluteExpiresAt: now + 20 * MINUTE }),
      );
      const minutes = async (key: string) => Math.round((await client.pttl(key)) / MINUTE);
      const ada = bucketOfUser('ada');
      expect(await minutes(rowKey('a', ada))).toBe(70);
      await backend.touch([{ id: 'a', lastActiveAt: now, expiresAt: now + 30 * MINUTE, now }]);
      expect(await minutes(rowKey('a', ada))).toBe(90);
      expect(await minutes(`app:{${ada}}:u:ada`)).toBe(660);
    });

    it('of a row that Redis has forgotten leave no trace in lists', async () => {
      await store(backend, row('a'), row('b'));
      await client.del(rowKey('a', bucketOfUser('ada')));
      expect(ids(await backend.list(ofAda))).toEqual(['b']);
      expect(await client.zcard(`app:{${bucketOfUser('ada')}}:u:ada`)).toBe(1);
      await backend.prune({ now: NOW, cursor: null, batchSize: 10 });
      expect(await client.zcard(`app:{${bucketOfUser('ada')}}:i`)).toBe(1);
    });

    it('of other apps on the same server are left alone', async () => {
      const other = openBackend(server.port, { prefix: 'other:' });
      await store(backend, row('a'));
      await store(other, row('a'));
      await client.set('app:settings', '1');
      expect(await deleteActive(backend)).toBe(1);
      expect(await other.find(['a'])).toEqual([row('a')]);
      expect(await client.get('app:settings')).toBe('1');
    });

    it('that hold something else are named, and nothing is changed', async () => {
      await client.set(rowKey('a'), 'of somebody else');
      const clear = /A key of the sessions holds a value that this backend has not written/;
      await expect(backend.find(['a'])).rejects.toThrow(clear);
      await expect(backend.insert(inserting(row('a')))).rejects.toThrow(clear);
      await expect(backend.touch([{ id: 'a', lastActiveAt: 1, expiresAt: 1, now: NOW }])).rejects.toThrow(
        clear,
      );
      expect(await client.get(rowKey('a'))).toBe('of somebody else');
      await client.hset(rowKey('b'), 'u', 'junk', 'r', 'junk');
      await expect(backend.find(['b'])).rejects.toThrow(/session "b" holds a value that is not a session/);
      await expect(backend.delete({ ids: ['b'] })).rejects.toThrow(clear);
      await client.del(rowKey('a'));
      await store(backend, row('a'));
    });
  });

  describe('a row that somebody has damaged', () => {
    const userKey = rowKey('bad', bucketOfUser('ada'));
    const limit = { max: 10, onLimit: 'evict' } as const;

    /** Puts it among the sessions of ada, which are in one bucket. */
    async function damage(fields: { readonly u?: string; readonly r?: string }): Promise<void> {
      await store(backend, row(idOfAda('1')), row(idOfAda('2')));
      await client.hset(userKey, { u: await client.hget(rowKey(idOfAda('1')), 'u'), ...fields });
      await client.zadd(`app:{${bucketOfUser('ada')}}:u:ada`, NOW + MINUTE, 'bad');
    }

    const idOfAda = (number: string) => `01KB000000000000000000000${number}${bucketOfUser('ada')}`;
    const use = (times: string, rest = 'ut ada') => `${times} ${rest}`;
    const token = (others: string, start = '1 h 0') => `${start} ${others}\n1 1 1\n"k1"\npayload`;

    it.each([
      ['a time that is no number', { u: use('NaN 1 1 1 1') }],
      ['a time that Lua would read', { u: use('0x10 1 1 1 1') }],
      ['an infinite time', { u: use('Infinity 1 1 1 1') }],
      ['an empty time', { u: use(' 1 1 1 1') }],
      ['a mark of another kind', { u: use('1 1 1 1 1', 'zebra ada') }],
      ['no marks', { u: '1 1 1 1 1' }],
      ['an empty text', { u: '' }],
      ['no rest', {}],
      ['a rest without lines', { r: 'junk' }],
      ['JSON that is cut', { r: token('[null,') }],
      ['JSON of another shape', { r: token('{"a":1}') }],
      ['a hash that says how long it is', { r: token('[{"length":30000000},1,1,""]') }],
      ['a hash that is a number', { r: token('[5,1,1,""]') }],
      ['tokens that are an object', { r: token('[null,1,1,{}]') }],
      ['an instant that is a text', { r: token('[null,"1",1,""]') }],
      ['a flag that is none', { r: token('[null,1,1,""]', 'x h 0') }],
      ['an empty hash', { r: token('[null,1,1,""]', '1  0') }],
      ['a key id that is no text', { r: '1 h 0 [null,1,1,""]\n1 1 1\n7\npayload' }],
      ['a session line with a word', { r: '1 h 0 [null,1,1,""]\n1 abc 1\n"k"\npayload' }],
      ['a session line that says maybe', { r: '1 h 0 [null,1,1,""]\n1 1 maybe\n"k"\npayload' }],
    ])('by %s, is no session, and harms no other one', async (_what, fields) => {
      await damage(fields);
      const before = await client.hgetall(userKey);
      const [found] = await Promise.allSettled([backend.find(['bad'])]);
      const isMissing = found.status === 'fulfilled' && found.value[0] === null;
      if (!isMissing)
        expect(found).toMatchObject({ reason: { name: 'DamagedRowError', message: /a value that/ } });
      await expect(insertLimited(backend, row(idOfAda('3')), limit)).resolves.toMatchObject({
        status: 'inserted',
      });
      expect(await client.hgetall(userKey)).toEqual(before);
      const ended = await backend.delete({ userId: 'ada' });
      expect(ids(ended)).toEqual(expect.arrayContaining([1, 2, 3].map((number) => idOfAda(String(number)))));
      expect(await backend.find([1, 2, 3].map((number) => idOfAda(String(number))))).toEqual([
        null,
        null,
        null,
      ]);
    });

    it('ends no other one of those that are named with it', async () => {
      await damage({ u: use('NaN 1 1 1 1') });
      await expect(backend.delete({ ids: [idOfAda('1'), 'bad'] })).resolves.toHaveLength(1);
      await expect(backend.delete({ ids: [idOfAda('2'), 'bad'], userId: 'ada' })).rejects.toThrow(
        /holds a value that this backend has not written/,
      );
      expect(await backend.find([idOfAda('2')])).toEqual([row(idOfAda('2'))]);
    });

    it.each([
      ['its rest is junk', { r: 'junk' }],
      ['its times are junk', { u: use('NaN 1 1 1 1') }],
    ])(
      'keeps no list from being read, and no other session from being ended with all, when %s',
      async (_, fields) => {
        await damage({ u: use(`${NOW} ${NOW + MINUTE} ${NOW + MINUTE} 1 1`), r: 'junk', ...fields });
        await client.zadd(`app:{${bucketOfUser('ada')}}:i`, 0, 'bad');
        const sessions = new SessionStore(backend, { plaintext: true, clock: { now: () => NOW } });
        await sessions.initSchema();
        expect(await sessions.listForUser('ada')).toHaveLength(2);
        expect((await sessions.listActive()).sessions).toHaveLength(2);
        expect(await sessions.destroyAll()).toBe(2);
        expect(await backend.find([idOfAda('1'), idOfAda('2')])).toEqual([null, null]);
        await sessions.close();
      },
    );

    it('does not keep the sessions that are looked up with it from being served', async () => {
      const sessions = new SessionStore(backend, { plaintext: true });
      await sessions.initSchema();
      const { session } = await sessions.create({}, 'bob');
      await client.hset(rowKey('bad'), { u: use('1 1 1 1 1'), r: token('[5,1,1,""]') });
      const [good, bad] = await Promise.allSettled([sessions.load(session.id), sessions.load('bad')]);
      expect(good).toMatchObject({ status: 'fulfilled', value: { userId: 'bob' } });
      expect(bad).toMatchObject({ reason: { name: 'SessionStoreError' } });
    });
  });

  describe('scripts and data that somebody removes', () => {
    it('scripts are loaded again after SCRIPT FLUSH, under load', async () => {
      await store(backend, row('a'));
      const load = { isOver: false };
      const flushing = (async () => {
        while (!load.isOver) await client.script('FLUSH');
      })();
      const rounds = await Promise.all(
        Array.from({ length: 200 }, async (_, index) => {
          const { status } = await insertLimited(backend, row(`b-${index}`), { max: 3, onLimit: 'evict' });
          const [touched] = await backend.touch([
            { id: `b-${index}`, lastActiveAt: NOW, expiresAt: NOW + MINUTE, now: NOW },
          ]);
          return [status, typeof touched, (await backend.list(ofAda)).length <= 3];
        }),
      );
      load.isOver = true;
      await flushing;
      expect(new Set(rounds.map(String))).toEqual(new Set(['inserted,boolean,true']));
    });

    it('after FLUSHALL sessions are gone, and others begin', async () => {
      await store(backend, row('a'), row('b', { tokenHash: null }));
      await client.flushall();
      expect(await backend.find(['a', 'b'])).toEqual([null, null]);
      expect(await backend.list(ofAda)).toEqual([]);
      expect(await backend.delete({ userId: 'ada' })).toEqual([]);
      expect(await backend.touch([{ id: 'a', lastActiveAt: NOW, expiresAt: NOW, now: NOW }])).toEqual([
        false,
      ]);
      await store(backend, row('a'));
      expect(ids(await backend.list(ofAda))).toEqual(['a']);
    });
  });

  it('keeps the limit over 200 sign-ins of one user from two processes', async () => {
    const load = { isOver: false };
    const counts: number[] = [];
    const watching = (async () => {
      while (!load.isOver) counts.push((await backend.list(ofAda)).length);
    })();
    const reports = await Promise.all(
      ['one', 'other'].map((name) =>
        reportOf('./sign-in-main.ts', [String(server.port), 'app:', name, '100', '5']),
      ),
    );
    load.isOver = true;
    await watching;
    expect(reports).toEqual([[], []]);
    expect(counts.length).toBeGreaterThan(50);
    expect(Math.max(...counts)).toBe(5);
    expect(await backend.list(ofAda)).toHaveLength(5);
  });

  it('builds a row anew that comes after one which was built later, and takes it as it is from a clock that runs late', async () => {
    const limit = { max: 1, onLimit: 'evict' } as const;
    await store(backend, row('later'));
    const times = [NOW - MINUTE, NOW + 1];
    const build = () => row('new', { lastActiveAt: times.shift() ?? 0 });
    const result = await backend.insert({ userId: 'ada', limit, replaces: null, build });
    expect(result).toMatchObject({ status: 'inserted', row: { lastActiveAt: NOW + 1 } });
    const late = row('late', { lastActiveAt: NOW - MINUTE });
    expect((await insertLimited(backend, late, limit)).status).toBe('inserted');
    expect(await backend.list(ofAda)).toEqual([late]);
  });

  describe('a sign-in that replaces a session of another bucket', () => {
    it('has one winner, and the session is then nobody’s', async () => {
      for (let round = 0; round < 10; round++) {
        const old = visitor(`visitor-${round}`);
        await store(backend, old);
        const results = await Promise.all(
          Array.from({ length: 20 }, (_, index) => {
            const next = row(`new-${round}-${index}`, { userId: `user-${index}` });
            const build = (replaced: SessionRow | null) => (replaced ? next : null);
            return backend.insert(inserting(next, { replaces: old.id, build }));
          }),
        );
        expect(results.filter(({ status }) => status === 'inserted')).toHaveLength(1);
        expect(results.filter(({ status }) => status === 'refused')).toHaveLength(19);
        expect(await backend.find([old.id])).toEqual([null]);
        expect(await client.hkeys(rowKey(old.id))).toEqual(['n']);
      }
      expect(await deleteActive(backend)).toBe(10);
    });

    it('leaves it as it was when the limit refuses', async () => {
      await store(backend, row('a'), visitor('v'));
      const limit = { max: 1, onLimit: 'reject' } as const;
      const left = await client.pttl(rowKey('v'));
      expect(await backend.insert(inserting(row('b'), { limit, replaces: 'v' }))).toEqual({
        status: 'limit',
      });
      expect(await backend.find(['v', 'b'])).toEqual([visitor('v'), null]);
      expect(await backend.save([saving(visitor('v'), 3)])).toEqual([true]);
      expect(await client.pttl(rowKey('v'))).toBeGreaterThan(left - MINUTE);
    });

    it('tells of the session once, if it is ended at the same time', async () => {
      for (let round = 0; round < 40; round++) {
        const old = visitor(`old-${round}`);
        await store(backend, old);
        const [result, ended] = await Promise.all([
          backend.insert(inserting(row(`new-${round}`), { replaces: old.id })),
          backend.delete({ ids: [old.id] }),
        ]);
        const replaced = result.status === 'inserted' && result.replaced !== null;
        expect([replaced, ended.length === 1].filter(Boolean)).toHaveLength(1);
      }
    });

    it('leaves a session that nobody is served, when its process ends half-way, and that is gone after a minute', async () => {
      const old = visitor('v');
      await store(backend, old);
      await client.hset(rowKey('v'), 'c', 'claim of a process that is gone', 'a', Date.now());
      const change = { id: 'v', expected: old, next: { ...old, tokenUsed: true }, now: NOW };
      const build = jest.fn(() => row('b'));
      expect(await backend.alive(['v'], NOW)).toMatchObject([{ id: 'v' }]);
      const touch = { id: 'v', lastActiveAt: NOW, expiresAt: NOW, now: NOW };
      expect(await backend.save([saving(old, 9)])).toEqual([false]);
      expect(await backend.touch([touch])).toEqual([false]);
      expect(await backend.changeToken(change)).toBe(false);
      const calls: ReadonlyArray<() => Promise<unknown>> = [
        () => backend.find(['v']),
        () => backend.insert(inserting(row('b'), { replaces: 'v', build })),
      ];
      const results = await Promise.allSettled(calls.map((call) => call()));
      const message = expect.stringContaining('nobody can say yet whether the session has ended') as string;
      expect(results).toMatchObject(calls.map(() => ({ reason: { message } })));
      expect(build).not.toHaveBeenCalled();
      const step = {
        now: NOW,
        cursor: null,
        batchSize: 10,
        limit: 10,
        activeSince: null,
        authenticated: null,
      };
      expect((await backend.walk(step)).rows).toEqual([]);
      await client.hset(rowKey('v'), 'a', Date.now() - 2 * MINUTE);
      await waitUntil(async () => (await backend.find(['v']).catch(() => [old]))[0] === null);
      expect(await client.hkeys(rowKey('v'))).toEqual(['n']);
      await store(backend, visitor('v'));
    });
  });

  describe('an id that the app chose', () => {
    const keyed = (userId: string | null, version: number) => row('k', { userId, version, tokenHash: null });

    it('moves with its row from user to user, and to nobody', async () => {
      const owners = ['ada', 'bob', null, 'ada', null, 'bob', 'eve', 'eve', 'ada'];
      for (const [version, userId] of owners.entries()) {
        const next = keyed(userId, version);
        const result = await backend.insert(inserting(next, { replaces: 'k' }));
        expect(result).toMatchObject({ status: 'inserted' });
        expect(await backend.find(['k'])).toEqual([next]);
        const lists = await Promise.all(
          ['ada', 'bob', 'eve'].map((user) => backend.list({ ...ofAda, userId: user })),
        );
        expect(lists.flat()).toEqual(userId === null ? [] : [next]);
      }
      expect(await deleteActive(backend)).toBe(1);
    });

    it('goes to another user once its row has ended', async () => {
      const owners = ['ada', 'bob', null, 'eve', 'ada', null];
      for (const [version, userId] of owners.entries()) {
        await store(backend, keyed(userId, version));
        expect(await backend.insert(inserting(keyed('mallory', 99)))).toEqual({ status: 'taken' });
        expect(await backend.delete({ ids: ['k'] })).toHaveLength(1);
        expect(await backend.find(['k'])).toEqual([null]);
      }
    });

    it('has one row, whoever inserts and ends it at the same time', async () => {
      for (let round = 0; round < 30; round++) {
        await Promise.all(
          ['ada', 'bob', 'eve', null, 'ada', null].flatMap((userId, index) => [
            backend.insert(inserting(keyed(userId, 10 * round + index))),
            backend.delete({ ids: ['k'] }),
          ]),
        );
        const [found] = await backend.find(['k']);
        expect(await deleteActive(backend)).toBe(found ? 1 : 0);
      }
    });

    it('is back where it was when the limit refuses the row of another user', async () => {
      await store(backend, keyed('bob', 1), row('a'));
      const limit = { max: 1, onLimit: 'reject' } as const;
      const next = row('k', { version: 2 });
      expect(await backend.insert(inserting(next, { limit, replaces: 'k' }))).toEqual({ status: 'limit' });
      expect(await backend.find(['k'])).toEqual([keyed('bob', 1)]);
      expect(await backend.delete({ ids: ['k'] })).toHaveLength(1);
    });
  });

  describe('clients', () => {
    it('of the app stay open, and one of our own is closed', async () => {
      await backend.init();
      await backend.close();
      const name = `own-${server.port}`;
      const own = openOwnBackend(server.url, {}, { connectionName: name });
      await own.init();
      const isThere = async () => (await client.client('LIST')) as string;
      expect(await isThere()).toContain(`name=${name}`);
      await own.close();
      await own.close();
      for (let looks = 0; looks < 100 && (await isThere()).includes(name); looks++) await client.ping();
      expect(await isThere()).not.toContain(`name=${name}`);
      await backend.init(); // on the client of the app, which is open
    });

    it('that are none are refused', () => {
      for (const given of [null, undefined, 'redis://', new Map(), () => undefined])
        expect(() => new RedisSessionBackend(given as never)).toThrow(
          /`client`: expected a client of ioredis/,
        );
      const { url } = server;
      expect(() => new RedisSessionBackend({ url }, { prefix: '{a}' })).toThrow(/`prefix`: expected letters/);
      expect(() => new RedisSessionBackend({ url }, { durability: 'all' as never })).toThrow(/`durability`/);
      expect(() => new RedisSessionBackend({ url }, { ttl: 1 } as never)).toThrow(/Unknown option of Redis/);
    });

    it.each([
      [{}, '`client`: expected an address'],
      [{ password: 'p' }, '`client`: expected an address'],
      [{ url: undefined }, '`url`: expected an address'],
      [{ url: '' }, '`url`: expected an address'],
      [{ host: undefined, port: 6379 }, '`host`: expected an address'],
      [{ url: 'redis://127.0.0.1', prefix: 'a:' }, '`prefix`: expected behind the client'],
      [{ url: 'redis://127.0.0.1', durability: 'replica' }, '`durability`: expected behind the client'],
    ])('of our own know where the server is, and nothing that belongs elsewhere: %p', (options, message) => {
      expect(() => new RedisSessionBackend(options as never)).toThrow(message);
    });

    it('of our own say why the connection is lost, and to where', async () => {
      const own = openOwnBackend('redis://127.0.0.1:1');
      await expect(own.find(['a'])).rejects.toThrow(
        'The connection was lost to 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1',
      );
    });
  });
});
