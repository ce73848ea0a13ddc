import { type ActiveSessionPage, type ListActiveOptions, readActivePage } from './active-sessions.js';
import type { ListRequest, RowSelection } from './session-backend.js';
import type { Clock } from './clock.js';
import type { StoredSession } from './session-content.js';
import type { CreatedSession, NewSession } from './session-creation.js';
import type { LiveSessions } from './live-sessions.js';
import { eventOf, type RevokeReason } from './session-events.js';
import { isActive, isTouchDue, requireActive } from './session-expiry.js';
import type { SessionConfig } from './session-options.js';
import type { SessionParts } from './session-parts.js';
import { SessionRecord } from './session-record.js';
import type { Client, FoundSession, ResolvedSession } from './token-resolver.js';
import type { EndedRow, EpochMs, SessionRow } from './session-row.js';
import { isRotationDue } from './rotation-policy.js';
import { type SessionToken, type Transport, transportOf } from './session-token.js';
import type { ContentWrite } from './session-writer.js';
import type { Renewal } from './token-rotation.js';

/** Sessions that one step of `endAll` looks at. */
const ENDED_TOGETHER = 500;

/**
 * What the code that serves sessions (HTTP, testing) can do with them. Each method that changes storage emits the events of
 * that change afterwards. Not exported from the package.
 */
export class SessionManager {
  readonly #parts: SessionParts;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  /** The options in force. Durations are milliseconds. */
  get config(): SessionConfig {
    return this.#parts.config;
  }

  get clock(): Clock {
    return this.#parts.clock;
  }

  /** What is open by session, and ends with it. */
  get live(): LiveSessions {
    return this.#parts.live;
  }

  /**
   * The live session that a token leads to, served or not, or the id that it names where nothing is stored; resolves to
   * `null` when there is neither. A replaced token that is presented again after its time ends its session.
   *
   * @param text what a client has sent
   * @param arrivedAt when the head of the request arrived, in epoch milliseconds. @default now
   * @returns `null`, and storage is not asked, when `text` is no token for that transport that a key confirms
   */
  load(
    text: string,
    transport: Transport,
    client?: Client,
    arrivedAt?: EpochMs,
  ): Promise<FoundSession | null> | null {
    const token = this.#parts.issuer.recognise(text, transport);
    return token && this.#parts.resolver.resolveAny(token, client, arrivedAt);
  }

  /** Stores a new session that carries a token, and ends what it replaces or what is over the limit. */
  async create(session: NewSession, ip?: string): Promise<CreatedSession> {
    const { creation, events, clock } = this.#parts;
    const created = await creation.create(session);
    const { row, inserted } = created;
    const now = clock.now();
    events.emit('created', eventOf(row, now, ip));
    if (row.userId !== null) events.emit('authenticated', eventOf(row, now, ip));
    const { replaced, evicted } = inserted;
    if (replaced) this.#emitRevoked([replaced], 'replaced', ip);
    for (const one of evicted) events.emit('evicted', eventOf(one, now, ip));
    return created;
  }

  /** A new token after renewed proof of identity. @throws SessionGoneError */
  renew(session: StoredSession, ip?: string): Promise<Renewal> {
    return this.#parts.rotation.renew(session, ip);
  }

  /** Whether `rotateIfDue` would try to rotate the token. @param isWanted whether the app has asked for a new one */
  isRotationDue({ row, standing, content }: ResolvedSession, isWanted: boolean): boolean {
    const { clock, config } = this.#parts;
    const transport = transportOf(content);
    return isRotationDue(row, {
      standing,
      transport,
      isWanted,
      now: clock.now(),
      every: config.rotation.every,
    });
  }

  /** The token that the response should carry instead of the presented one; `null` when there is no new one. */
  async rotateIfDue(resolved: ResolvedSession, isWanted: boolean): Promise<SessionToken | null> {
    return this.isRotationDue(resolved, isWanted) ? this.#parts.rotation.rotatePresented(resolved) : null;
  }

  /** Changes what a session holds. Resolves to what is stored afterwards. @throws SessionGoneError, SessionConflictError */
  write(write: ContentWrite): Promise<StoredSession> {
    return this.#parts.writer.write(write);
  }

  /** The session as it is stored now. @throws SessionGoneError when it has ended */
  reload({ row }: StoredSession): Promise<StoredSession> {
    return this.read(row);
  }

  /**
   * The session with that id as it is stored now. Look-ups of one event-loop turn share one.
   *
   * @param userId whose it has to be; `null`: nobody's
   * @throws SessionGoneError when it has ended
   */
  async read({ id, userId }: Pick<SessionRow, 'id' | 'userId'>): Promise<StoredSession> {
    const { backend, clock, sealer } = this.#parts;
    const row = requireActive(await backend.lookUp(id), clock.now(), userId);
    return { row, content: sealer.open(row, true) };
  }

  /** Whether the session is stored, active, and still that owner's. */
  async isLive({ id, userId }: Pick<SessionRow, 'id' | 'userId'>): Promise<boolean> {
    const { backend, clock } = this.#parts;
    const [live] = await backend.alive([id], clock.now());
    return live?.userId === userId;
  }

  /** Whether the last recorded use is `touchInterval` ago, so that another one is to be recorded. */
  isTouchDue(row: SessionRow): boolean {
    const { clock, config } = this.#parts;
    return isTouchDue(row, clock.now(), config.touchInterval);
  }

  /** Records the use of a session. Returns at once; storage gets it within 100 ms. */
  touch(row: SessionRow): void {
    this.#parts.touches.record(row);
  }

  /**
   * Ends sessions, in one step of the storage. `deleted`: those that were stored; `ended`: those of them that were still
   * active.
   */
  async end(
    selection: RowSelection,
    reason: RevokeReason,
    ip?: string,
  ): Promise<{ ended: readonly EndedRow[]; deleted: readonly EndedRow[] }> {
    const deleted = await this.#parts.backend.delete(selection);
    return { ended: this.#emitRevoked(deleted, reason, ip), deleted };
  }

  /**
   * Ends the active sessions of everybody, in steps that each fit into the time of one call; how many. One that begins, or that
   * gets another id, while this goes on may stay.
   */
  async endAll(reason: RevokeReason): Promise<number> {
    const { backend, clock } = this.#parts;
    const everybody = {
      batchSize: ENDED_TOGETHER,
      limit: ENDED_TOGETHER,
      activeSince: null,
      authenticated: null,
    };
    let count = 0;
    for (let cursor: string | null = null; ;) {
      const { rows, next } = await backend.walk({ ...everybody, now: clock.now(), cursor });
      if (rows.length > 0) count += (await this.end({ ids: rows.map(({ id }) => id) }, reason)).ended.length;
      if (next === null) return count;
      cursor = next;
    }
  }

  /**
   * Active sessions of a user, those with the latest `orderBy` first. Rows whose payload does not open are marked, so that
   * they can be revoked.
   *
   * @param limit `null`: all of them
   */
  async list(
    userId: string,
    orderBy: ListRequest['orderBy'],
    limit: number | null = null,
  ): Promise<SessionRecord[]> {
    const { backend, clock } = this.#parts;
    const rows = await backend.list({ userId, now: clock.now(), orderBy, limit });
    return rows.map((row) => new SessionRecord(row, this.#openForListing(row)));
  }

  /** A page of the active sessions of everybody. Rows whose payload does not open are marked. */
  async listActive(options: ListActiveOptions): Promise<ActiveSessionPage> {
    const { backend, clock } = this.#parts;
    const { rows, next } = await readActivePage(backend, options, clock.now());
    return {
      sessions: rows.map((row) => new SessionRecord(row, this.#openForListing(row)).toJSON()),
      next,
    };
  }

  /** Emits that a session is used by another kind of client than it was signed in with. */
  reportClientChange(row: SessionRow, ip?: string): void {
    const { clock, events } = this.#parts;
    events.emit('client-change', eventOf(row, clock.now(), ip));
  }

  /**
   * Waits until nothing runs in the background any more: touches are written, ends are published, storage has said what it was
   * asked for health, or has taken a second.
   */
  async drain(): Promise<void> {
    const { touches, keysInUse, storageHealth, live } = this.#parts;
    await Promise.all([touches.drain(), keysInUse.drain(), storageHealth.drain(), live.drain()]);
  }

  #openForListing(row: SessionRow): StoredSession['content'] | 'tampered' | 'unknown-key' {
    const { options, sealer } = this.#parts;
    try {
      return sealer.open(row);
    } catch {
      return options.ring.keyIds.includes(row.keyId) ? 'tampered' : 'unknown-key';
    }
  }

  #emitRevoked(rows: readonly EndedRow[], reason: RevokeReason, ip?: string): readonly EndedRow[] {
    const { clock, events } = this.#parts;
    const now = clock.now();
    const ended = rows.filter((row) => isActive(row, now));
    for (const row of ended) events.emit('revoked', { ...eventOf(row, now, ip), reason });
    return ended;
  }
}
