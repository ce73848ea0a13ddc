import type { BackendHealth } from '../../core/session-backend.js';
import { SessionOptionsError } from '../../core/session-errors.js';
import type { EpochMs } from '../../core/session-row.js';
import { performance } from '../../core/timers.js';
import { listOf, type RedisConnection, type RedisServer, textOf } from './connection/redis-connection.js';
import { type NeededPermissions, refusedCommands } from './permission-checks.js';

/*
 * What a server has to be and to do so that sessions are safe in it: asked at the start, and by health checks.
 */

/** What `INFO` says of a server, by name. */
type Facts = ReadonlyMap<string, string>;

/** Oldest servers: `ZRANDMEMBER` and `ZADD GT` came with 6.2, `WAITAOF` with 7.2. */
const [OLDEST, OLDEST_FOR_FSYNC] = ['6.2', '7.2'] as const;

const EVICTION =
  'Redis would throw sessions away when its memory is full, and with them the lists by which "log out everywhere" finds what ' +
  'it has to end';

/** Checks servers, and remembers what they had evicted at the start. */
export class ServerChecks {
  readonly #connection: RedisConnection;
  readonly #needed: () => NeededPermissions;
  /** Keys that a server had evicted when it was first asked. */
  readonly #evicted = new Map<string, number>();

  /** @param needed what sessions need, as it is at each check */
  constructor(connection: RedisConnection, needed: () => NeededPermissions) {
    this.#connection = connection;
    this.#needed = needed;
  }

  /**
   * Asks every server that takes writes whether sessions may be kept in it.
   *
   * @throws SessionOptionsError saying what to change
   */
  async start(): Promise<void> {
    const servers = await this.#connection.masters();
    await Promise.all(
      servers.map(async (server) => {
        const refusal = await this.#refusalOf(server);
        if (refusal !== null) throw new SessionOptionsError(`${server.name}: ${refusal}`);
        const facts = await factsOf(server);
        const fault = this.#faultOf(facts);
        if (fault !== null) throw new SessionOptionsError(`${server.name}: ${fault}`);
        this.#newlyEvicted(server.name, facts);
      }),
    );
  }

  async health(): Promise<BackendHealth> {
    const problems: string[] = [];
    let clock: ServerClock | null = null;
    const servers = await this.#connection.masters();
    await Promise.all(
      servers.map(async (server) => {
        const say = (what: string) => problems.push(`${server.name}: ${what}`);
        try {
          const refusal = await this.#refusalOf(server);
          if (refusal !== null) say(refusal);
          const facts = await factsOf(server);
          for (const what of this.#problemsOf(server.name, facts)) say(what);
          clock ??= await clockOf(server);
        } catch (error) {
          say(error instanceof Error ? error.message : String(error));
        }
      }),
    );
    return { problems, warnings: [], now: sinceThen(clock) };
  }

  /** What the ACL of the server lacks; `null`: nothing. */
  async #refusalOf(server: RedisServer): Promise<string | null> {
    const needed = this.#needed();
    const refused = await refusedCommands(server, this.#connection, needed);
    if (refused === null) return null;
    return (
      `the user of the connection may not run ${refused.names.join(', ')} on what begins with "${needed.prefix}", as sessions ` +
      `need it: give the user the ACL of docs/redis.md. The server says: ${refused.reason}`
    );
  }

  #problemsOf(name: string, facts: Facts): string[] {
    const problems: string[] = [];
    const fault = this.#faultOf(facts);
    if (fault !== null) problems.push(fault);
    const evicted = this.#newlyEvicted(name, facts);
    if (evicted > 0) problems.push(`${evicted} keys have been evicted since the start. ${EVICTION}`);
    const role = facts.get('role');
    if (role === 'slave')
      problems.push('a read-only replica: it takes no sign-in and no sign-out. Sessions need the primary');
    if (this.#needed().durability === 'replica' && role === 'master' && facts.get('connected_slaves') === '0')
      problems.push("no replica is connected, so no write is confirmed (`durability` is 'replica')");
    return problems;
  }

  /** Why sessions may not be kept in the server; `null`: they may. */
  #faultOf(facts: Facts): string | null {
    const version = facts.get('redis_version') ?? '';
    if (isOlder(version, OLDEST)) return `expected Redis ${OLDEST} or later, or Valkey, got ${version}`;
    if (facts.get('cluster_enabled') === '1' && !this.#connection.isCluster)
      return 'it belongs to a Cluster, and the client is none: give the sessions a client for a Cluster';
    const policy = facts.get('maxmemory_policy') ?? 'noeviction';
    if (policy !== 'noeviction')
      return (
        `expected \`maxmemory-policy noeviction\`, got ${policy}. ${EVICTION}. Set the policy, or give the sessions a ` +
        'server of their own'
      );
    if (this.#needed().durability === 'fsync') {
      if (isOlder(version, OLDEST_FOR_FSYNC))
        return `\`durability\`: 'fsync' needs Redis ${OLDEST_FOR_FSYNC} or later, got ${version}`;
      if (facts.get('aof_enabled') === '0')
        return "`durability`: 'fsync' needs the append-only file, which is off. Set `appendonly yes`";
    }
    return null;
  }

  /** How many keys the server has evicted since it was first asked, or started. */
  #newlyEvicted(name: string, facts: Facts): number {
    const count = Number(facts.get('evicted_keys') ?? 0);
    const before = this.#evicted.get(name) ?? count;
    this.#evicted.set(name, Math.min(before, count));
    return count - Math.min(before, count);
  }
}

async function factsOf(server: RedisServer): Promise<Facts> {
  const lines = textOf(await server.send(['INFO'])).split('\r\n');
  return new Map(
    lines.flatMap((line) => {
      const colon = line.indexOf(':');
      return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)] as const] : [];
    }),
  );
}

/** What a server said that the time is, and when it said so by the clock of `performance.now()`. */
interface ServerClock {
  readonly time: EpochMs;
  readonly saidAt: number;
}

/** Taken to have been said in the middle of the round trip. */
async function clockOf(server: RedisServer): Promise<ServerClock> {
  const sentAt = performance.now();
  const [seconds, microseconds] = listOf(await server.send(['TIME']))
    .map(textOf)
    .map(Number);
  const time = (seconds ?? 0) * 1_000 + (microseconds ?? 0) / 1_000;
  return { time, saidAt: (sentAt + performance.now()) / 2 };
}

function sinceThen(clock: ServerClock | null): EpochMs | null {
  return clock && Math.round(clock.time + performance.now() - clock.saidAt);
}

/** Whether `6.0.16` comes before `6.2`. */
function isOlder(version: string, other: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}
