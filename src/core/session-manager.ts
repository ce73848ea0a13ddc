import { BackendClient } from './backend-client.js';
import type { ListRequest, RowSelection, SessionBackend } from './session-backend.js';
import { type Clock, nameOfClock } from './clock.js';
import { type StoredSession, transportOf } from './session-content.js';
import { PayloadSealer } from './payload-sealer.js';
import { type CreatedSession, type NewSession, SessionCreation } from './session-creation.js';
import { eventOf, type RevokeReason, type SessionEvent, SessionEvents } from './session-events.js';
import { ActiveSessionCounts } from './active-session-counts.js';
import { processLogger, type SessionLogger } from './session-logger.js';
import { isActive } from './session-expiry.js';
import { type ResolvedStoreOptions, type SessionConfig } from './session-options.js';
import { SessionPruning } from './session-pruning.js';
import { SessionRecord } from './session-record.js';
import { SessionResolver } from './session-resolver.js';
import { nextGeneration, renewed } from './session-rotation.js';
import type { EndedRow, SessionRow, TokenState } from './session-row.js';
import { type SessionToken, TokenIssuer } from './session-token.js';
import { SessionTouches } from './session-touches.js';
import { gone } from './session-errors.js';
import { SessionWriter } from './session-writer.js';
import { UnknownKeys } from './unknown-keys.js';

/** A renewed token, and what changed in the row with it. */
export interface Renewal {
  readonly token: SessionToken;
  readonly changed: TokenState & Pick<SessionRow, 'authenticatedAt'>;
}

/**
 * The parts of the store, wired, and the steps that the store and the HTTP layer share: each changes storage and
 * then tells what happened. Not exported from the package, but in the types of what is.
 */
export class SessionManager {
  readonly config: SessionConfig;
  readonly clock: Clock;
  readonly clockName: string;
  readonly events: SessionEvents;
  readonly backend: BackendClient;
  readonly sealer: PayloadSealer;
  readonly issuer: TokenIssuer;
  readonly writer: SessionWriter;
  readonly resolver: SessionResolver;
  readonly pruning: SessionPruning;
  readonly touches: SessionTouches;
  readonly liveSessions: ActiveSessionCounts;
  readonly unknownKeys: UnknownKeys;
  readonly #creation: SessionCreation;

  constructor(
    backend: SessionBackend,
    readonly options: ResolvedStoreOptions,
    readonly logger: SessionLogger = processLogger,
  ) {
    const { config, clock, ring } = options;
    this.config = config;
    this.clock = clock;
    this.clockName = nameOfClock(clock);
    this.events = new SessionEvents((name, error) =>
      logger.warn(
        `A listener for the session event '${name}' failed: ${error instanceof Error ? error.stack : String(error)}`,
      ),
    );
    this.backend = new BackendClient(backend, config.timeout, logger);
    this.unknownKeys = new UnknownKeys(clock);
    this.sealer = new PayloadSealer(ring, config.maxDataBytes, this.unknownKeys);
    this.issuer = new TokenIssuer(ring);
    this.writer = new SessionWriter(this.backend, this.sealer, clock, config.timeout);
    this.resolver = new SessionResolver(
      this.backend,
      this.sealer,
      this.issuer,
      clock,
      this.clockName,
      config,
      this.events,
      logger,
    );
    this.pruning = new SessionPruning(this.backend, clock, this.events);
    this.touches = new SessionTouches(this.backend, clock, config.touchInterval, logger);
    this.liveSessions = new ActiveSessionCounts(this.backend, clock, ring, logger);
    this.#creation = new SessionCreation(this.backend, this.sealer, this.issuer, clock, config);
  }

  /** Stores a new session that carries a token. */
  async create(session: NewSession, ip?: string): Promise<CreatedSession> {
    const created = await this.#creation.create(session);
    const { row, inserted } = created;
    this.events.emit('created', this.eventOf(row, ip));
    if (row.userId !== null) this.events.emit('authenticated', this.eventOf(row, ip));
    const { replaced, evicted } = inserted;
    if (replaced) this.#tellRevoked([replaced], 'replaced', ip);
    for (const one of evicted) this.events.emit('evicted', this.eventOf(one, ip));
    return created;
  }

  /** A new token for the same session after renewed proof of identity; the old one is not served again. */
  async renew({ row, content }: StoredSession, ip?: string): Promise<Renewal> {
    for (let current: SessionRow | null = row; ; current = await this.backend.lookUp(row.id)) {
      const now = this.clock.now();
      if (current === null || current.userId !== row.userId || !isActive(current, now)) throw gone();
      const plan = { generation: nextGeneration(current), kin: content.marks?.kin };
      const token = this.issuer.issue(row.id, { ...plan, transport: transportOf(content) });
      const { grace } = this.config.rotation;
      const next = renewed(current, token.hash, { now, clock: this.clockName, grace });
      const change = { id: row.id, expected: current, next, authenticatedAt: now, now };
      if (!(await this.backend.changeToken(change))) continue;
      this.events.emit('authenticated', this.eventOf(row, ip));
      this.events.emit('rotated', this.eventOf(row, ip));
      return { token, changed: { ...next, authenticatedAt: now } };
    }
  }

  /** Ends sessions. Returns those that were still active; `existed` also counts expired ones. */
  async end(
    selection: RowSelection,
    reason: RevokeReason,
    ip?: string,
  ): Promise<{ ended: readonly EndedRow[]; existed: boolean }> {
    const deleted = await this.backend.delete(selection);
    return { ended: this.#tellRevoked(deleted, reason, ip), existed: deleted.length > 0 };
  }

  /** Resolves when nothing runs in the background any more. */
  async settled(): Promise<void> {
    await Promise.all([this.touches.settled(), this.liveSessions.settled()]);
  }

  /** Active sessions of a user, in descending order. Rows that do not open are marked, so that they can be revoked. */
  async list(
    userId: string,
    orderBy: ListRequest['orderBy'],
    limit: number | null = null,
  ): Promise<SessionRecord[]> {
    const rows = await this.backend.list({ userId, now: this.clock.now(), orderBy, limit });
    return rows.map((row) => new SessionRecord(row, this.#openForListing(row)));
  }

  /** @throws SessionTamperedError when the payload does not open */
  open(row: SessionRow): SessionRecord {
    return new SessionRecord(row, this.sealer.open(row));
  }

  #openForListing(row: SessionRow): StoredSession['content'] | 'tampered' | 'unknown-key' {
    const keyIds = this.options.ring.keyIds;
    try {
      return this.sealer.open(row);
    } catch {
      return keyIds.includes(row.keyId) ? 'tampered' : 'unknown-key';
    }
  }

  eventOf(row: Pick<SessionRow, 'id' | 'userId'>, ip?: string): SessionEvent {
    return eventOf(row, this.clock.now(), ip);
  }

  #tellRevoked(rows: readonly EndedRow[], reason: RevokeReason, ip?: string): readonly EndedRow[] {
    const now = this.clock.now();
    const ended = rows.filter((row) => isActive(row, now));
    for (const row of ended) this.events.emit('revoked', { ...this.eventOf(row, ip), reason });
    return ended;
  }
}
