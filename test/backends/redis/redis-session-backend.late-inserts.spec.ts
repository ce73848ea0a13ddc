import { Redis } from 'ioredis';
import { bucketOfUser } from '../../../src/backends/redis/buckets.js';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import type { SessionRow } from '../../../src/core/session-row.js';
import {
  deleteActive,
  insertLimited,
  inserting,
  MINUTE,
  NOW,
  row,
  store,
} from '../../../src/testing/backend-contract/contract-rule.js';
import { onEachRedis, OwnRedis } from '../../support/own-redis.js';
import { TcpGate } from '../../support/tcp-gate.js';
import { closeAll, openOwnBackend } from './support/open-redis.js';

/** A client whose scripts the network delivers once more, later. */
class RepeatedRedis extends Redis {
  readonly #sent: Array<ReadonlyArray<string | Buffer>> = [];

  override sendCommand(...sent: Parameters<Redis['sendCommand']>): unknown {
    if (sent[0].name === 'evalsha') this.#sent.push([...sent[0].args] as Array<string | Buffer>);
    return super.sendCommand(...sent);
  }

  /** What was sent comes again, in its order, and nobody hears what the server says to it. */
  async deliverAgain(): Promise<void> {
    for (const args of this.#sent.splice(0)) await this.call('evalsha', ...args);
  }

  forgetSent(): void {
    this.#sent.length = 0;
  }
}

onEachRedis((program) => {
  let server: OwnRedis;
  let client: RepeatedRedis;
  /** Another process. */
  let admin: Redis;
  let backend: RedisSessionBackend;
  let other: RedisSessionBackend;
  beforeAll(async () => {
    server = await OwnRedis.make([], { program });
    client = new RepeatedRedis(server.port);
    admin = new Redis(server.port);
    backend = new RedisSessionBackend(client, { prefix: 'app:' });
    other = new RedisSessionBackend(admin, { prefix: 'app:' });
    await store(backend, row('warm-up'), row('warmed-up', { userId: null })); // loads the scripts
  });
  beforeEach(async () => {
    await admin.config('SET', 'maxmemory', '0');
    await admin.del(await admin.keys('*'));
    client.forgetSent();
  });
  afterAll(async () => {
    client.disconnect();
    admin.disconnect();
    await server.remove();
  });

  const ada = bucketOfUser('ada');
  const idOf = (number: number, bucket = ada) => `01KB000000000000000000000${number}${bucket}`;
  const ofAda = { userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null } as const;
  const id = idOf(1);
  const keyed = (fields: Partial<SessionRow>) => row('k', { tokenHash: null, ...fields });
  const putting = (fields: Partial<SessionRow>) =>
    backend.insert(inserting(keyed(fields), { replaces: 'k' }));

  const endings: ReadonlyArray<readonly [string, () => Promise<unknown>]> = [
    ['“log out everywhere”', () => other.delete({ userId: 'ada' })],
    ['a sign-out', () => other.delete({ ids: [id] })],
    ['a sign-out of one device', () => other.delete({ ids: [id], userId: 'ada' })],
    ['a clean-up', () => other.prune({ now: NOW + 900 * MINUTE, cursor: null, batchSize: 10 })],
    ['the limit', () => insertLimited(other, row(idOf(2)), { max: 1, onLimit: 'evict' })],
    ['a sign-in in its place', () => other.insert(inserting(row(idOf(2)), { replaces: id }))],
    [
      'a sign-in of another user',
      async () => {
        await other.insert(inserting(row(idOf(2, bucketOfUser('bob')), { userId: 'bob' }), { replaces: id }));
        for (let looks = 0; looks < 100 && (await admin.hexists(`app:{${ada}}:s:${id}`, 'u')); looks++);
      },
    ],
  ];
  it.each(endings)('a sign-in that is delivered again after %s stays ended', async (_what, end) => {
    await store(backend, row(id));
    await end();
    await client.deliverAgain();
    expect(await other.find([id])).toEqual([null]);
    expect(await other.alive([id], NOW)).toEqual([null]);
    expect((await other.list(ofAda)).filter((each) => each.id === id)).toEqual([]);
    expect(await admin.zscore(`app:{${ada}}:i`, id)).toBeNull();
  });

  it('a value under a key of the app stays deleted, whatever was stored under it, and for whom', async () => {
    for (const userId of ['ada', null]) {
      await putting({ userId, version: 1 });
      await putting({ userId, version: 2 });
      await other.delete({ ids: ['k'] });
      await putting({ userId, version: 3 });
      await other.delete({ ids: ['k'] });
    }
    await putting({ userId: 'bob', version: 4 });
    await putting({ userId: 'ada', version: 5 });
    await other.delete({ ids: ['k'] });
    await client.deliverAgain();
    expect(await other.find(['k'])).toEqual([null]);
    expect(await deleteActive(other)).toBe(0);
  });

  it('a key of the app is free for another value at once', async () => {
    for (const version of [1, 2, 3]) {
      await store(backend, keyed({ version }));
      expect(await other.find(['k'])).toEqual([keyed({ version })]);
      await other.delete({ userId: 'ada' });
    }
  });

  it('a sign-in whose answer is lost, and which has ended by the time that it is sent again, is refused', async () => {
    const gate = new TcpGate({ host: '127.0.0.1', port: server.port });
    await gate.open();
    const visitor = row(idOf(3, '00'), { userId: null });
    await store(other, visitor);
    const own = openOwnBackend(`redis://127.0.0.1:${gate.port}`, { prefix: 'app:' });
    gate.loseAnswerTo(/payload of 01KB0000000000000000000001/, 1, () => other.delete({ userId: 'ada' }));
    await expect(own.insert(inserting(row(id), { replaces: visitor.id }))).rejects.toThrow(
      'The session has ended before it was known to be stored',
    );
    expect(await other.find([id, visitor.id])).toEqual([null, null]);
    expect(await deleteActive(other)).toBe(0);
    await closeAll();
    await gate.shut();
  });

  it('a server that is full ends sessions all the same, and keeps in mind that they have ended', async () => {
    await store(backend, row(id), row(idOf(2)));
    await admin.config('SET', 'maxmemory', '1');
    expect(await other.delete({ ids: [id] })).toHaveLength(1);
    expect(await other.delete({ userId: 'ada' })).toHaveLength(1);
    await admin.config('SET', 'maxmemory', '0');
    await client.deliverAgain();
    expect(await other.find([id, idOf(2)])).toEqual([null, null]);
  });

  it('what is left of a session that has ended is small, in no index, and forgotten after ten minutes', async () => {
    await store(backend, row(id, { payload: Buffer.alloc(4_000) }));
    await other.delete({ userId: 'ada' });
    const key = `app:{${ada}}:s:${id}`;
    expect(await admin.hkeys(key)).toEqual(['n']);
    expect(await admin.memory('USAGE', key)).toBeLessThan(300);
    const left = await admin.pttl(key);
    expect(left).toBeLessThanOrEqual(10 * MINUTE);
    expect(left).toBeGreaterThan(9 * MINUTE);
    expect(await admin.exists(`app:{${ada}}:i`, `app:{${ada}}:u:ada`)).toBe(0);
  });
});
