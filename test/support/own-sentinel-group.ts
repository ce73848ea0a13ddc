import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OwnRedis, REDIS_SERVERS, type RedisProgram } from './own-redis.js';
import { binary, freePort, withPrograms } from './programs.js';

/** Milliseconds of silence after which a Sentinel takes a server for gone. */
const SILENCE = 500;

/** What the primary is called. */
export const PRIMARY_NAME = 'sessions';

/** A primary, a replica, and three Sentinels that put the one in the place of the other, all of a spec's own. */
export class OwnSentinelGroup {
  private constructor(
    readonly servers: readonly [OwnRedis, OwnRedis],
    private readonly watchers: readonly Watcher[],
  ) {}

  static async make(program: RedisProgram = 'redis-server'): Promise<OwnSentinelGroup> {
    const settings = ['--repl-diskless-sync-delay', '0'];
    const primary = await OwnRedis.make(settings, { program });
    const follow = ['--replicaof', '127.0.0.1', String(primary.port)];
    const replica = await OwnRedis.make([...settings, ...follow], { program });
    const watchers = await Promise.all([1, 2, 3].map(() => Watcher.start(program, primary.port)));
    const group = new OwnSentinelGroup([primary, replica], watchers);
    await group.isReady();
    return group;
  }

  /** Where clients begin. */
  get sentinels(): ReadonlyArray<{ readonly host: string; readonly port: number }> {
    return this.watchers.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  /** The server that takes writes, as all Sentinels see it; `null`: they are not of one mind. */
  async primary(): Promise<OwnRedis | null> {
    const said = await Promise.all(
      this.watchers.map((each) => say(each.port, `SENTINEL GET-MASTER-ADDR-BY-NAME ${PRIMARY_NAME}`)),
    );
    const found = this.servers.find(({ port }) => said.every((each) => each.includes(String(port))));
    return found ?? null;
  }

  /** Kills the primary. The other server takes its place a few seconds later, without being waited for. */
  async killPrimary(): Promise<OwnRedis> {
    const primary = await this.primary();
    if (primary === null) throw new Error('there is no primary');
    await primary.stop();
    return primary;
  }

  /** Starts a server that was killed again, as the replica of the one that has taken its place. */
  async bringBack(server: OwnRedis): Promise<void> {
    const next = this.servers.find((each) => each !== server);
    await until('the other one is the primary', async () => (await this.primary()) === next);
    await server.start();
    await server.say('REPLICAOF', '127.0.0.1', String(next?.port));
  }

  /** Waits until the Sentinels know each other and a replica that has all that the primary has. */
  async isReady(): Promise<void> {
    await until('the group is ready', async () => {
      const primary = await this.primary();
      const state = (await primary?.say('INFO', 'replication')) ?? '';
      const said = await Promise.all(
        this.watchers.map((each) => say(each.port, `SENTINEL MASTER ${PRIMARY_NAME}`)),
      );
      const know = (what: string, count: string) =>
        said.every((each) => new RegExp(`${what}\r\n\\$1\r\n${count}\r\n`).test(each));
      return state.includes('state=online') && know('num-slaves', '1') && know('num-other-sentinels', '2');
    });
  }

  async remove(): Promise<void> {
    await Promise.all([...this.watchers, ...this.servers].map((each) => each.remove()));
  }
}

/** One Sentinel. */
class Watcher {
  private constructor(
    private readonly folder: string,
    readonly port: number,
    private readonly process: ChildProcess,
  ) {}

  static async start(program: RedisProgram, primary: number): Promise<Watcher> {
    const folder = await mkdtemp(join(tmpdir(), 'nest-sessions-sentinel-'));
    const port = await freePort();
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor ${PRIMARY_NAME} 127.0.0.1 ${primary} 2`,
      `sentinel down-after-milliseconds ${PRIMARY_NAME} ${SILENCE}`,
      `sentinel failover-timeout ${PRIMARY_NAME} 3000`,
    ];
    const file = join(folder, 'sentinel.conf'); // it writes what it learns into it
    await writeFile(file, lines.join('\n'));
    const child = spawn(binary(program), [file, '--sentinel'], { stdio: 'ignore' });
    const watcher = new Watcher(folder, port, child);
    await until('a Sentinel answers', () =>
      say(port, 'PING').then(
        (reply) => reply.startsWith('+PONG'),
        () => false,
      ),
    );
    return watcher;
  }

  async remove(): Promise<void> {
    const exit = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await exit;
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** What a Sentinel says to a command, as it says it. */
async function say(port: number, command: string): Promise<string> {
  const socket = createConnection({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  socket.write(`${command}\r\n`);
  const [reply] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return reply.toString();
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 30_000; performance.now() < end; await sleep(50))
    if (await isSo()) return;
  throw new Error(`not within 30 s: ${what}`);
}

/** The same specs behind the Sentinels of Redis and behind those of Valkey. */
export function onEachSentinelGroup(body: (program: RedisProgram) => void): void {
  describe.each(Object.entries(REDIS_SERVERS))('on %s', (_, program) =>
    withPrograms([program], () => body(program)),
  );
}
