import { Controller, Get, Post, Query, type INestApplication } from '@nestjs/common';
import { Session, SessionModule, SessionStore } from 'nest-sessions';
import { type RedisClient, RedisSessionBackend, type RedisSessionBackendOptions } from 'nest-sessions/redis';
import { ManualClock } from 'nest-sessions/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeApps, KEY, startApp } from '../../support/nest-app.js';
import { onEachRedis, OwnRedis, withOwnRedis } from '../../support/own-redis.js';
import { onEachSentinelGroup, OwnSentinelGroup, PRIMARY_NAME } from '../../support/own-sentinel-group.js';
import { TcpGate } from '../../support/tcp-gate.js';

const TIMEOUT = 2_000;

@Controller()
class RotatingController {
  @Post('login')
  async login(@Query('user') user: string, @Session() session: Session): Promise<void> {
    await session.authenticate(user);
  }

  @Post('rotate')
  async rotate(@Session() session: Session): Promise<void> {
    await session.rotate();
  }

  @Post('logout')
  async logout(@Session() session: Session): Promise<void> {
    await session.logout();
  }

  @Post('logout-all')
  async logoutAll(@Session() session: Session): Promise<void> {
    await session.logoutAll();
  }

  @Get('user')
  user(@Session() session: Session): { userId: string | null } {
    return { userId: session.userId };
  }
}

/** A browser that keeps the cookie that it was given last. */
class Visitor {
  cookie = '';
  /** Statuses of replies, and whether a reply that was no success touched the cookie. */
  readonly statuses: number[] = [];
  hasLostCookie = false;

  constructor(
    private readonly address: string,
    readonly name: string,
  ) {}

  signIn(): Promise<{ status: number }> {
    return this.send('POST', `/login?user=${this.name}`);
  }

  async send(method: 'GET' | 'POST', path: string): Promise<{ status: number; text: string }> {
    const response = await fetch(this.address + path, { method, headers: { cookie: this.cookie } });
    const lines = response.headers.getSetCookie();
    if (response.ok && lines.length > 0) this.cookie = lines.map((line) => line.split(';', 1)[0]).join('; ');
    if (!response.ok && lines.length > 0) this.hasLostCookie = true;
    this.statuses.push(response.status);
    return { status: response.status, text: await response.text() };
  }

  /** Sends again, until the status is that one. */
  async until<R extends { status: number }>(status: number, send: () => Promise<R>): Promise<R> {
    for (let tries = 0; ; tries++) {
      const reply = await send();
      if (reply.status === status || tries === 200) return reply;
      await sleep(50);
    }
  }

  /** Who it is told that it is, once it is told anything; `null`: nobody. */
  async user(): Promise<unknown> {
    for (let tries = 0; tries < 200; tries++) {
      const { status, text } = await this.send('GET', '/user');
      if (status !== 503) return (JSON.parse(text) as { userId: unknown }).userId;
      await sleep(50);
    }
    throw new Error('503 for too long');
  }
}

/** An app, and the names of what its sessions tell. */
async function start(client: RedisClient, options: RedisSessionBackendOptions, clock?: ManualClock) {
  const app: INestApplication = await startApp({
    controllers: [RotatingController],
    imports: [
      SessionModule.forRoot({
        key: KEY,
        timeout: TIMEOUT,
        rotation: { every: '1h', grace: '2s' },
        backend: new RedisSessionBackend(client, options),
        ...(clock ? { clock } : {}),
      }),
    ],
  });
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as import('node:http').Server).address() as { port: number };
  const thefts: unknown[] = [];
  app.get(SessionStore).events.on('reuse', (event) => void thefts.push(event));
  return { thefts, newVisitor: (name: string) => new Visitor(`http://127.0.0.1:${port}`, name) };
}

afterEach(closeApps);

onEachSentinelGroup((program) => {
  it('a primary that is killed while everybody rotates: 503 with the cookie kept, nobody is signed out nor taken for a thief', async () => {
    const group = await OwnSentinelGroup.make(program);
    const { thefts, newVisitor } = await start(
      { sentinels: group.sentinels, name: PRIMARY_NAME },
      { durability: 'replica', durabilityTimeout: 300 },
    );
    const visitors = Array.from({ length: 8 }, (_, index) => newVisitor(`visitor-${index}`));
    const leavers = Array.from({ length: 4 }, (_, index) => newVisitor(`leaver-${index}`));
    const all = [...visitors, ...leavers];
    for (const each of all) expect((await each.signIn()).status).toBe(201);

    const load = { isOver: false, hasLeft: false };
    const loads = visitors.map(async (each) => {
      while (!load.isOver) await each.send('POST', '/rotate');
    });
    // They sign out while the primary goes, again and again until that is acknowledged.
    const leaving = leavers.map(async (each, index) => {
      await sleep(200 + 100 * index);
      const { cookie } = each;
      while ((await each.send('POST', '/logout')).status !== 201) await sleep(20);
      each.cookie = cookie;
    });
    await sleep(400);
    const killed = await group.killPrimary();
    await group.bringBack(killed);
    await Promise.all(leaving);
    await group.isReady();
    const before = visitors.map(({ statuses }) => statuses.length);
    await sleep(1_000);
    load.isOver = true;
    await Promise.all(loads);

    for (const each of visitors) expect(await each.user()).toBe(each.name);
    for (const each of leavers) expect(await each.user()).toBeNull();
    expect(new Set(all.flatMap(({ statuses }) => statuses))).toEqual(new Set([200, 201, 503]));
    expect(all.filter(({ hasLostCookie }) => hasLostCookie)).toEqual([]);
    for (const [index, { statuses }] of visitors.entries())
      expect(new Set(statuses.slice(before[index]))).toContain(201);
    expect(thefts).toEqual([]);
    await closeApps();
    await group.remove();
  });
});

onEachRedis((program) => {
  it('a sign-out that no replica confirms is refused each time, and once it is acknowledged no failover undoes it', async () => {
    const primary = await OwnRedis.make(['--repl-diskless-sync-delay', '0'], { program });
    const link = new TcpGate({ host: '127.0.0.1', port: primary.port });
    await link.open();
    const replica = await OwnRedis.make(['--replicaof', '127.0.0.1', String(link.port)], { program });
    const name = new TcpGate({ host: '127.0.0.1', port: primary.port });
    await name.open();
    const { newVisitor } = await start(
      { url: `redis://127.0.0.1:${name.port}` },
      { durability: 'replica', durabilityTimeout: 300 },
    );
    const ways = ['/logout', '/logout-all', '/login?user=someone-else'];
    const leavers = ways.map((way, index) => ({ way, visitor: newVisitor(`leaver-${index}`) }));
    const stranger = newVisitor('stranger');
    for (const each of [...leavers.map(({ visitor }) => visitor), stranger])
      expect((await each.until(201, () => each.signIn())).status).toBe(201);
    const cookies = leavers.map(({ visitor }) => visitor.cookie);

    link.stick();
    for (const { way, visitor } of leavers)
      for (const _ of [1, 2, 3]) expect((await visitor.send('POST', way)).status).toBe(503);
    // On the primary they have signed out. A sign-in in place of theirs has been taken back.
    for (const { way, visitor } of leavers)
      expect([way, await visitor.user()]).toEqual([way, way.startsWith('/login') ? visitor.name : null]);
    expect(leavers.map(({ visitor }) => visitor.cookie)).toEqual(cookies);
    expect(leavers.filter(({ visitor }) => visitor.hasLostCookie)).toEqual([]);
    link.unstick();
    for (const { way, visitor } of leavers)
      expect((await visitor.until(201, () => visitor.send('POST', way))).status).toBe(201);

    link.stick();
    await name.shut();
    await primary.stop();
    await replica.say('REPLICAOF', 'NO', 'ONE');
    name.lead({ host: '127.0.0.1', port: replica.port });
    await name.open();
    // Now no replica is left, and whoever came back would be served.
    for (const [index, { visitor }] of leavers.entries()) {
      visitor.cookie = cookies[index] ?? '';
      expect(await visitor.user()).toBeNull();
    }
    expect(await stranger.user()).toBe('stranger');
    await closeApps();
    await Promise.all([link.shut(), name.shut(), primary.remove(), replica.remove()]);
  });
});

withOwnRedis(() => {
  it('a replica that has not heard of the last rotations takes over: newer tokens are served, and nobody is taken for a thief', async () => {
    const primary = await OwnRedis.make(['--repl-diskless-sync-delay', '0']);
    const link = new TcpGate({ host: '127.0.0.1', port: primary.port });
    await link.open();
    const replica = await OwnRedis.make(['--replicaof', '127.0.0.1', String(link.port)]);
    const name = new TcpGate({ host: '127.0.0.1', port: primary.port });
    await name.open();
    const clock = new ManualClock(Date.UTC(2030, 0, 1));
    const { thefts, newVisitor } = await start(
      { url: `redis://127.0.0.1:${name.port}` },
      { durability: 'primary' },
      clock,
    );
    const visitors = Array.from({ length: 4 }, (_, index) => newVisitor(`visitor-${index}`));
    for (const each of visitors) await each.signIn();
    for (let looks = 0; (await replica.say('DBSIZE')) !== (await primary.say('DBSIZE')); looks++) {
      expect(looks).toBeLessThan(500);
      await sleep(20);
    }
    link.stick();
    for (const [index, each] of visitors.entries())
      for (let count = 0; count <= index; count++)
        expect((await each.send('POST', '/rotate')).status).toBe(201);
    clock.advance('1m'); // longer than the grace

    await name.shut();
    await primary.stop();
    await replica.say('REPLICAOF', 'NO', 'ONE');
    name.lead({ host: '127.0.0.1', port: replica.port });
    await name.open();
    for (const each of visitors) expect(await each.user()).toBe(each.name);
    for (const each of visitors) expect((await each.send('POST', '/rotate')).status).toBe(201);
    for (const each of visitors) expect(await each.user()).toBe(each.name);
    expect(visitors.filter(({ hasLostCookie }) => hasLostCookie)).toEqual([]);
    expect(thefts).toEqual([]);
    await closeApps();
    await Promise.all([link.shut(), name.shut(), primary.remove(), replica.remove()]);
  });
});
