import type { ListRequest, RowSelection } from './session-backend.js';
import type { Clock } from './clock.js';
import type { StoredSession } from './session-content.js';
import type { CreatedSession, NewSession } from './session-creation.js';
import { eventOf, type RevokeReason } from './session-events.js';
import { isActive, isTouchDue, requireActive } from './session-expiry.js';
import type { SessionConfig } from './session-options.js';
import type { SessionParts } from './session-parts.js';
import { SessionRecord } from './session-record.js';
import type { Client, ResolvedSession, UnservedSession } from './session-resolver.js';
import type { EndedRow, EpochMs, SessionRow } from './session-row.js';
import { isRotationDue } from './session-rotation.js';
import { type SessionToken, type Transport, transportOf } from './session-token.js';
import type { ContentWrite } from './session-writer.js';
import type { Renewal } from './token-rotation.js';

/**
 * What a layer that serves sessions (HTTP, testing) can do with them: a dozen verbs, each of which changes storage and
 * then tells listeners what happened. Not exported from the package.
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

  /**
   * The session that a token leads to, served or not; resolves to `null` when it leads to no live one. A token that was
   * replaced and comes back ends its session.
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
  ): Promise<ResolvedSession | UnservedSession | null> | null {
    const token = this.#parts.issuer.recognise(text, transport);
    return token && this.#parts.resolver.present(token, client, arrivedAt);
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

  /** Whether `rotateIfDue` would try to. */
  isRotationDue({ row, standing, content }: ResolvedSession, isWanted: boolean): boolean {
    const { clock, config } = this.#parts;
    const { every } = config.rotation;
    return isRotationDue(row, {
      standing,
      transport: transportOf(content),
      isWanted,
      now: clock.now(),
      every,
    });
  }

  /** The token that the response should carry instead of the presented one, or `null`. */
  rotateIfDue(resolved: ResolvedSession, wanted: boolean): Promise<SessionToken | null> {
    return this.#parts.rotation.rotateIfDue(resolved, wanted);
  }

  /** Changes what a session holds. Resolves to what is stored afterwards. @throws SessionGoneError, SessionConflictError */
  write(write: ContentWrite): Promise<StoredSession> {
    return this.#parts.writer.write(write);
  }

  /** The session as it is stored now. @throws SessionGoneError when it has ended */
  async reload({ row: known }: StoredSession): Promise<StoredSession> {
    const { backend, clock, sealer } = this.#parts;
    const row = requireActive(await backend.lookUp(known.id), clock.now(), known.userId);
    return { row, content: sealer.open(row) };
  }

  /** Whether the last record of use is `touchInterval` old, so that use now is worth another one. */
  isTouchDue(row: SessionRow): boolean {
    const { clock, config } = this.#parts;
    return isTouchDue(row, clock.now(), config.touchInterval);
  }

  /** Records the use of a session. Returns at once: the record is written behind the response. */
  touch(row: SessionRow): void {
    this.#parts.touches.record(row);
  }

  /** Ends sessions. Returns those that were still active; `existed` also counts expired ones. */
  async end(
    selection: RowSelection,
    reason: RevokeReason,
    ip?: string,
  ): Promise<{ ended: readonly EndedRow[]; existed: boolean }> {
    const deleted = await this.#parts.backend.delete(selection);
    return { ended: this.#emitRevoked(deleted, reason, ip), existed: deleted.length > 0 };
  }

  /** Active sessions of a user, in descending order. Rows that do not open are marked, so that they can be revoked. */
  async list(
    userId: string,
    orderBy: ListRequest['orderBy'],
    limit: number | null = null,
  ): Promise<SessionRecord[]> {
    const { backend, clock } = this.#parts;
    const rows = await backend.list({ userId, now: clock.now(), orderBy, limit });
    return rows.map((row) => new SessionRecord(row, this.#openForListing(row)));
  }

  /** Tells listeners that a session turned up with another kind of client than it was signed in with. */
  reportClientChange(row: SessionRow, ip?: string): void {
    const { clock, events } = this.#parts;
    events.emit('client-change', eventOf(row, clock.now(), ip));
  }

  /** Resolves when nothing runs in the background any more. */
  async settled(): Promise<void> {
    const { touches, activeSessions } = this.#parts;
    await Promise.all([touches.settled(), activeSessions.settled()]);
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
