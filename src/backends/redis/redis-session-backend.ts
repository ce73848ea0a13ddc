import {
  type BackendHealth,
  type InsertRequest,
  type InsertResult,
  type ListRequest,
  type PayloadChange,
  type PruneResult,
  type PruneStep,
  type RowSelection,
  SessionBackend,
  type TokenChange,
  type Touch,
  type WalkResult,
  type WalkStep,
} from '../../core/session-backend.js';
import type { SessionBus } from '../../core/session-bus.js';
import { compareIds } from '../../core/identifiers.js';
import { isActive } from '../../core/session-expiry.js';
import type { EndedRow, EpochMs, LiveRow, SessionRow } from '../../core/session-row.js';
import { performance } from '../../core/timers.js';
import { BucketClient } from './bucket-client.js';
import { bucketOfUser, BUCKETS, randomBucket } from './buckets.js';
import { changeRowToken, saveRow, touchRow } from './change-rows.js';
import { checkClient, openConnection, type RedisClient } from './connection/open-connection.js';
import { bytesOf, listOf, type RedisConnection, textOf } from './connection/redis-connection.js';
import { PrimaryConnection } from './connection/primary-connection.js';
import { deleteIds, deleteIdsOfUser, deleteOfUser } from './delete-rows.js';
import { insert } from './insert.js';
import { channelOf, RedisBus } from './redis-bus.js';
import { findLive, findRow } from './read-rows.js';
import { type RedisSessionBackendOptions, type RedisSettings, resolveRedisOptions } from './redis-options.js';
import { unpackOrNull } from './row-packing.js';
import { LIST } from './scripts/list.js';
import { ServerChecks } from './server-checks.js';
import { cursorAt, nextBatch, pruneBatch, rowsOf } from './walk-rows.js';

/**
 * Sessions in Redis (6.2 or later) or Valkey: a single server, behind Sentinel, or a Cluster. All sessions of a user are in one
 * slot, so limits, lists and sign-outs are exact on a Cluster too.
 *
 * - One call is one round trip, but for a sign-in that replaces a session, which takes two; ids that the app chose itself take
 *   one more when the row has a user.
 * - What begins or changes a session is not done once its call has been answered, by the clock of the server that does it.
 * - Rows are active by the `now` that is given. Every key has an expiry too, an hour later than what it holds, by which Redis
 *   forgets it; so nobody has to walk over expired rows.
 * - `walk` goes through 1,024 indexes, one for each bucket, and reads the rows of a batch together.
 */
export class RedisSessionBackend extends SessionBackend {
  override readonly expiresNatively = true;
  readonly #given: RedisClient;
  readonly #settings: RedisSettings;
  #opening: Promise<Opened> | null = null;
  /** Milliseconds after which a call has been answered: the default of the option `timeout`, where nobody says. */
  #timeout = 5_000;
  /** Whether what ends is published, so that the user of the connection has to be allowed that. */
  #hasBus = false;

  /**
   * @param client a connected client of the app, which stays its own: of `ioredis` (`Redis` or `Cluster`) or of `redis`
   *   (`createClient`, `createSentinel` or `createCluster`). Or options for a client of our own, by ioredis, which `close()` ends
   * @throws SessionOptionsError
   */
  constructor(client: RedisClient, options: RedisSessionBackendOptions = {}) {
    super();
    checkClient(client);
    this.#given = client;
    this.#settings = resolveRedisOptions(options);
  }

  /**
   * Asks the servers whether sessions may be kept in them. There is nothing to create.
   *
   * @throws SessionOptionsError for a server that evicts keys, is too old, or belongs to a Cluster that the client does not
   *   know, for a user who may not run what sessions need, and where `durability: 'fsync'` cannot be kept
   */
  async init({ timeout = this.#timeout }: { readonly timeout?: number } = {}): Promise<void> {
    this.#timeout = timeout;
    const { checks } = await this.#open();
    await checks.start();
  }

  /** What is wrong with the servers: evicted keys, a replica in the place of the primary, commands that are not allowed. */
  override async health(): Promise<BackendHealth> {
    const { checks } = await this.#open();
    return checks.health();
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = null;
    const opened = await opening?.catch(() => null);
    await opened?.buckets.settled();
    await opened?.connection.close();
  }

  /** `PUBLISH` and `SUBSCRIBE`, over a second connection made as the first. */
  override bus(): SessionBus {
    this.#hasBus = true;
    return new RedisBus(async () => (await this.#open()).connection, this.#settings.prefix);
  }

  /** What ids of new sessions of a user end with: the bucket of the user, or any for an anonymous visitor. */
  override idSuffix(userId: string | null): string {
    return userId === null ? randomBucket() : bucketOfUser(userId);
  }

  async find(ids: readonly string[]): Promise<ReadonlyArray<SessionRow | null>> {
    const { buckets } = await this.#open();
    return Promise.all(ids.map((id) => findRow(buckets, id, ids.length === 1)));
  }

  async alive(ids: readonly string[], now: EpochMs): Promise<ReadonlyArray<LiveRow | null>> {
    const { buckets } = await this.#open();
    return Promise.all(ids.map((id) => findLive(buckets, id, now)));
  }

  async insert(request: InsertRequest): Promise<InsertResult> {
    const deadline = this.#deadline();
    const { buckets } = await this.#open();
    return insert(buckets, request, deadline);
  }

  async save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    const deadline = this.#deadline();
    const { buckets } = await this.#open();
    return Promise.all(changes.map((change) => saveRow(buckets, change, deadline)));
  }

  async touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    const deadline = this.#deadline();
    const { buckets } = await this.#open();
    return Promise.all(touches.map((touch) => touchRow(buckets, touch, deadline)));
  }

  async changeToken(change: TokenChange): Promise<boolean> {
    const deadline = this.#deadline();
    const { buckets } = await this.#open();
    return changeRowToken(buckets, change, deadline);
  }

  /** Atomic as a whole for the rows of one user. Rows of several users end bucket by bucket. */
  async delete(selection: RowSelection): Promise<readonly EndedRow[]> {
    const { buckets } = await this.#open();
    if (!('ids' in selection)) return deleteOfUser(buckets, selection.userId, selection.exceptId);
    return selection.userId === undefined
      ? deleteIds(buckets, selection.ids)
      : deleteIdsOfUser(buckets, selection.ids, selection.userId);
  }

  async list({ userId, now, orderBy, limit }: ListRequest): Promise<readonly SessionRow[]> {
    const { buckets } = await this.#open();
    const instant = orderBy === 'createdAt' ? 'created' : 'last';
    const words = [userId, String(now), instant, String(limit ?? '')];
    const found = listOf(await buckets.read(LIST, bucketOfUser(userId), words));
    const rows: SessionRow[] = [];
    for (let index = 0; index + 2 < found.length; index += 3) {
      const [use, rest] = [bytesOf(found[index + 1]), bytesOf(found[index + 2])];
      const row = use && rest && unpackOrNull(textOf(found[index]), use, rest);
      if (row) rows.push(row);
    }
    return rows
      .toSorted((one, other) => other[orderBy] - one[orderBy] || compareIds(other.id, one.id))
      .slice(0, limit ?? undefined);
  }

  async walk({ now, cursor, batchSize, activeSince, authenticated, limit }: WalkStep): Promise<WalkResult> {
    const { buckets } = await this.#open();
    const batch = await nextBatch(buckets, cursor, batchSize);
    const found = (await rowsOf(buckets, batch)).filter(
      ({ row }) =>
        isActive(row, now) &&
        (activeSince === null || row.lastActiveAt >= activeSince) &&
        (authenticated === null || (row.userId !== null) === authenticated),
    );
    const given = found.slice(0, limit);
    const next = found.length > limit ? cursorAt(given.at(-1)?.entry) : batch.next;
    return { rows: given.map(({ row }) => row), next };
  }

  async prune({ now, cursor, batchSize }: PruneStep): Promise<PruneResult> {
    const { buckets } = await this.#open();
    const batch = await nextBatch(buckets, cursor, batchSize);
    return { deleted: await pruneBatch(buckets, batch, now), next: batch.next };
  }

  /** The ids of all keys that sealed rows which may be active. A row that ended early counts until it would have ended. */
  async keysInUse(now: EpochMs): Promise<ReadonlySet<string>> {
    const { buckets } = await this.#open();
    const found = new Set<string>();
    // In portions: a client of the app may have a limit of what waits in it.
    for (let at = 0; at < BUCKETS.length; at += PORTION) {
      const portion = BUCKETS.slice(at, at + PORTION).map((bucket) => buckets.keysInUse(bucket, now));
      for (const id of (await Promise.all(portion)).flat()) found.add(id);
    }
    return found;
  }

  /** When a call that begins now will have been answered, by `performance.now()`. */
  #deadline(): number {
    return performance.now() + this.#timeout;
  }

  /** The connection, opened by the first call. After a failure the next call tries again. */
  #open(): Promise<Opened> {
    this.#opening ??= this.#connect().catch((error: unknown) => {
      this.#opening = null;
      throw error;
    });
    return this.#opening;
  }

  async #connect(): Promise<Opened> {
    const { prefix, durability, durabilityTimeout } = this.#settings;
    const connection = await openConnection(this.#given, durabilityTimeout);
    return {
      connection,
      checks: new ServerChecks(connection, () => {
        return { prefix, durability, channel: this.#hasBus ? channelOf(prefix) : null };
      }),
      buckets: new BucketClient(
        // A server of a Cluster that is no master any more sends clients on by itself.
        connection.isCluster ? connection : new PrimaryConnection(connection),
        prefix,
        durability,
        durabilityTimeout,
      ),
    };
  }
}

/** Buckets that are asked at once for the keys in use. */
const PORTION = 128;

/** An open connection, and what is kept over it. */
interface Opened {
  readonly connection: RedisConnection;
  readonly checks: ServerChecks;
  readonly buckets: BucketClient;
}
