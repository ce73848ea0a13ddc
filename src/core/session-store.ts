import type { ActiveSessionPage, ListActiveOptions } from './active-sessions.js';
import { type Duration, parseGrace } from './duration.js';
import { toSessionId, toUserId, type UserId } from './identifiers.js';
import { type Instant, toInstant } from './instant.js';
import { faultOf, toJsonObject } from './json-data.js';
import {
  type KeyValueStore,
  type KeyOptions,
  KeyedSessions,
  type SessionStateInput,
} from './key-value-store.js';
import type { SessionBackend } from './session-backend.js';
import { applyChanges, diffData, NO_FLASHES } from './merge-changes.js';
import { SessionManager } from './session-manager.js';
import { SessionParts } from './session-parts.js';
import { SessionDataError, SessionGoneError } from './session-errors.js';
import type { SessionEvents } from './session-events.js';
import { examine, type SessionHealth } from './session-health.js';
import { isActive } from './session-expiry.js';
import type { SessionLogger } from './session-logger.js';
import {
  type ResolvedStoreOptions,
  resolveStoreOptions,
  type SessionConfig,
  type SessionStoreOptions,
} from './session-options.js';
import { DEFAULT_BATCH_SIZE, startTimer, type Stoppable } from './session-pruning.js';
import { SessionRecord, type SessionWithToken } from './session-record.js';
import type { SessionContent } from './session-content.js';
import type { SessionRow } from './session-row.js';
import type { SessionToken, Transport } from './session-token.js';

/**
 * Sessions on a backend: tokens, encryption, expiry, limits and rotation. It needs no framework:
 * `new SessionStore(backend, { key, ttl: '24h' })`.
 *
 * Methods reject with `SessionStoreError` when storage cannot be reached, but for `checkHealth`, which never rejects.
 * `timeout` bounds each wait for storage: a method that waits more than once, for the table to be there, for its turn, or
 * for another attempt, may take a few times as long.
 */
export class SessionStore implements KeyValueStore<string, SessionStateInput, SessionRecord> {
  /** @internal What serves sessions builds on. */
  readonly manager: SessionManager;
  /** @internal */
  readonly parts: SessionParts;
  readonly #keyed: KeyedSessions;

  /** @throws SessionOptionsError when an option cannot be used */
  constructor(
    backend: SessionBackend,
    options: SessionStoreOptions | ResolvedStoreOptions,
    logger?: SessionLogger,
  ) {
    const resolved = 'config' in options ? options : resolveStoreOptions(options);
    this.parts = new SessionParts(backend, resolved, logger);
    this.manager = new SessionManager(this.parts);
    this.#keyed = new KeyedSessions(this.parts);
  }

  /** The options in force, frozen, without keys. Durations are milliseconds. */
  get config(): SessionConfig {
    return this.parts.config;
  }

  /** What happens to sessions. */
  get events(): SessionEvents {
    return this.parts.events;
  }

  /**
   * Stores a new session. Inserting, ending what is over `maxPerUser` and counting are one atomic step; the new
   * session is never the victim, victims go by `(lastActiveAt, id)`.
   *
   * @param meta about the client, a JSON object of at most 4096 bytes
   * @param userId owner; `null`: anonymous, without a limit
   * @throws SessionLimitError when `onLimit` is `'reject'` and the limit is reached
   */
  async create(meta: object, userId: UserId | null, data: object = {}): Promise<SessionWithToken> {
    const { row, content, token } = await this.manager.create({
      userId: userId === null ? null : toUserId(userId),
      meta: toJsonObject(meta, 'meta'),
      previousId: null,
      changes: { replace: false, set: {}, remove: [], ...NO_FLASHES },
      data: toJsonObject(data),
      persistent: true,
    });
    return { session: new SessionRecord(row, content), token };
  }

  /** The active session of a token, or `null`. Those that are none for that transport do not touch storage. */
  async readByToken(
    token: SessionToken | string,
    transport: Transport = 'cookie',
  ): Promise<SessionRecord | null> {
    const recognised = this.parts.issuer.recognise(token, transport);
    const resolved = recognised && (await this.parts.resolver.resolve(recognised));
    const isServed = resolved !== null && resolved.standing !== 'lost';
    return isServed ? new SessionRecord(resolved.row, resolved.content) : null;
  }

  /**
   * A session by its public id, whether or not it has expired; `null` when there is none.
   *
   * @throws SessionTamperedError when its payload does not open
   */
  async read(id: string): Promise<SessionRecord | null> {
    const row = await this.parts.backend.lookUp(toSessionId(id));
    return row && this.#open(row);
  }

  /**
   * The active session of an id, or `null`.
   *
   * @throws SessionTamperedError when its payload does not open
   */
  async load(id: string): Promise<SessionRecord | null> {
    const row = await this.parts.backend.lookUp(toSessionId(id));
    return row && isActive(row, this.parts.clock.now()) ? this.#open(row) : null;
  }

  /**
   * The live value of a key, or `null`: as `load`, but not of sessions that carry a token.
   *
   * @throws SessionConflictError when the key is the id of such a session, unless `{ sessions: true }` says that it may
   */
  get(key: string, options?: KeyOptions): Promise<SessionRecord | null> {
    return this.#keyed.get(key, options);
  }

  /**
   * Inserts or replaces: the key-value face. No token of its own, and counted towards no limit. What is replaced keeps
   * `createdAt` and its absolute expiry, and for the same owner `authenticatedAt`.
   *
   * @param id any string of 1 to 255 characters
   * @param ttl idle timeout: milliseconds (at least 60,000 as a number) or a string such as `'30m'`
   * @param options.sessions `true`: the id may be that of a session that carries a token. It keeps the token and what
   *   counts for it, unless the owner changes: then it loses the token. @default false
   * @throws SessionConflictError when it is one, and nothing says that it may; nothing is changed
   */
  save(id: string, state: SessionStateInput, ttl: Duration, options?: KeyOptions): Promise<SessionRecord> {
    return this.#keyed.put(id, state, ttl, options);
  }

  /** As `save`. */
  put(key: string, state: SessionStateInput, ttl: Duration, options?: KeyOptions): Promise<SessionRecord> {
    return this.save(key, state, ttl, options);
  }

  /**
   * Ends one session and stores another, in one atomic step. The new one has no token; it keeps `createdAt`,
   * the absolute expiry of the old, and for the same owner `authenticatedAt`.
   *
   * @param options.sessions `true`: the old one may be a session that carries a token, which ends with it. @default false
   * @throws SessionGoneError when the old one is missing or has expired; nothing is stored
   * @throws SessionConflictError when the new id is taken, or the old one is that of a session that carries a token, and
   *   nothing says that it may; the old one is untouched
   */
  cycle(
    oldId: string,
    newId: string,
    state: SessionStateInput,
    ttl: Duration,
    options?: KeyOptions,
  ): Promise<SessionRecord> {
    return this.#keyed.cycle(oldId, newId, state, ttl, options);
  }

  /**
   * Ends a session, or removes the value of a key: whatever has that id. Idempotent; whether it was stored. Keys that
   * come from a client need a prefix of your own.
   */
  async delete(id: string): Promise<boolean> {
    return (await this.manager.end({ ids: [toSessionId(id)] }, 'revoked')).deleted.length > 0;
  }

  /** As `delete`. */
  destroy(id: string): Promise<boolean> {
    return this.delete(id);
  }

  /**
   * Issues a new token; the old one is superseded and works for `grace` more. Requests with it are served after that
   * too, while nobody has used the new one. To shut somebody out, `delete` the session.
   *
   * @param options.grace milliseconds or a string such as `'30s'`. @default 0
   * @throws SessionGoneError when the session is missing or has expired
   * @throws SessionConflictError when another rotation of the same token won
   */
  async rotateToken(id: string, { grace = 0 }: { grace?: Duration } = {}): Promise<SessionToken> {
    return this.parts.rotation.rotate(toSessionId(id), parseGrace('grace', grace));
  }

  /**
   * Persists data; `false` when the session has ended: it is never revived.
   *
   * @param now when it was used
   * @param expiresAt new idle expiry; never earlier than stored, never past the absolute expiry
   * @param base the data that `data` was made from: only the top-level keys that differ are stored. Without it, all
   * of the stored data is replaced.
   */
  async flush(id: string, data: object, now: Instant, expiresAt: Instant, base?: object): Promise<boolean> {
    const key = toSessionId(id);
    const next = toJsonObject(data);
    const changes =
      base === undefined
        ? { replace: true, set: next, remove: [] }
        : diffData(toJsonObject(base, 'base'), next);
    const [usedAt, endsAt] = [toInstant('now', now), toInstant('expiresAt', expiresAt)];
    const write = {
      id: key,
      use: (row: SessionRow) => ({
        lastActiveAt: Math.max(row.lastActiveAt, usedAt),
        expiresAt: Math.min(Math.max(row.expiresAt, endsAt), row.absoluteExpiresAt),
      }),
      apply: (content: SessionContent) => applyChanges(content, { ...changes, ...NO_FLASHES }),
    };
    try {
      await this.parts.writer.write(write);
      return true;
    } catch (error) {
      if (error instanceof SessionGoneError) return false;
      throw error;
    }
  }

  /** Records use; `false` when the session has ended. Neither instant moves back, nor past the absolute expiry. */
  async touch(id: string, now: Instant, expiresAt: Instant): Promise<boolean> {
    const [usedAt, endsAt] = [toInstant('now', now), toInstant('expiresAt', expiresAt)];
    const present = Math.max(usedAt, this.parts.clock.now());
    const touch = { id: toSessionId(id), lastActiveAt: usedAt, expiresAt: endsAt, now: present };
    const [hit = false] = await this.parts.backend.touch([touch]);
    return hit;
  }

  /** Active sessions of a user, most recently active first. Rows that do not open are marked by `integrity`. */
  async listForUser(userId: UserId): Promise<SessionRecord[]> {
    return this.manager.list(toUserId(userId), 'lastActiveAt');
  }

  /** Active sessions of a user, newest first, `limit` at most. */
  async findSessionsForUser(userId: UserId, limit: number): Promise<SessionRecord[]> {
    if (Number.isSafeInteger(limit) && limit >= 0)
      return this.manager.list(toUserId(userId), 'createdAt', limit);
    throw new SessionDataError(`\`limit\`: expected an integer of at least 0, got ${String(limit)}`, {
      path: 'limit',
      fault: faultOf(limit),
    });
  }

  /**
   * Who is online: the active sessions of everybody, in pages, without tokens and without data. Sessions without a user are
   * among them unless `authenticated` says otherwise, and so are values under keys of your own. Rows that do not open are
   * marked by `integrity`.
   *
   * A page is no snapshot: a session that is active from the first page to the last is on exactly one of them; one that begins
   * or ends meanwhile may be on one or on none. With `activeSince`, so may one that is used meanwhile. Pages are read by
   * primary key, `limit` sessions at a time, so memory does not grow with the table; a page of `activeSince` or
   * `authenticated` may look at all of it, in short steps.
   *
   * @throws SessionDataError (`fault` is `'input'` where a client can have sent it) for an option that cannot be used
   * @example
   * ```ts
   * const activeSince = new Date(Date.now() - 15 * 60_000);
   * for (let after: string | null = null; ; ) {
   *   const { sessions, next } = await store.listActive({ after, activeSince, authenticated: true });
   *   for (const { userId, meta, lastActiveAt } of sessions) console.log(userId, meta.deviceName, lastActiveAt);
   *   if (next === null) break;
   *   after = next;
   * }
   * ```
   */
  async listActive(options: ListActiveOptions = {}): Promise<ActiveSessionPage> {
    return this.manager.listActive(options);
  }

  /** Ends all sessions of a user; how many. */
  async destroyAllForUser(userId: UserId): Promise<number> {
    return (await this.manager.end({ userId: toUserId(userId) }, 'revoked')).ended.length;
  }

  /** Ends all sessions of a user but one; how many. */
  async destroyAllExcept(userId: UserId, keepId: string): Promise<number> {
    const selection = { userId: toUserId(userId), exceptId: toSessionId(keepId) };
    return (await this.manager.end(selection, 'revoked')).ended.length;
  }

  /**
   * Ends every session of every user, and removes the values of keys; how many. In steps of a few hundred, so that it takes as
   * long as there are sessions, and one that begins meanwhile may stay. What has expired is left to the clean-up.
   */
  async destroyAll(): Promise<number> {
    return this.manager.endAll('revoked');
  }

  /** Deletes expired sessions in batches, whatever other processes do; how many. Concurrent calls share the work. */
  cleanupExpired(batchSize: number = DEFAULT_BATCH_SIZE): Promise<number> {
    return this.parts.pruning.run(batchSize);
  }

  /** As `cleanupExpired`. */
  pruneExpired(): Promise<number> {
    return this.cleanupExpired();
  }

  /**
   * Cleans up every `interval` until stopped; where several processes do so in one storage, one of them, and the others
   * rest. Failures are logged and tried again. For use without Nest.
   */
  startCleanup(interval: Duration): Stoppable {
    const { pruning, logger } = this.parts;
    return startTimer(interval, (every) => pruning.takeTurn(DEFAULT_BATCH_SIZE, every), logger);
  }

  /** Creates table and indexes if absent. Idempotent, and safe from several processes at once. */
  initSchema(): Promise<void> {
    return this.parts.backend.init();
  }

  /** Whether storage answers, the keys open what they seal, and clean-up works. Never rejects. */
  checkHealth(): Promise<SessionHealth> {
    return examine(this.parts);
  }

  /** Waits for background work and releases the backend. */
  async close(): Promise<void> {
    const { live, pruning } = this.parts;
    await Promise.all([this.manager.drain(), pruning.stop(), live.stop()]);
    await this.parts.backend.close();
  }

  #open(row: SessionRow): SessionRecord {
    return new SessionRecord(row, this.parts.sealer.open(row));
  }
}
