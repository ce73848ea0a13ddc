import type { Clock } from './clock.js';
import type { GuardedBackend } from './guarded-backend.js';
import type { SessionConfig } from './session-options.js';
import { type SessionVault, type StoredSession, transportOf } from './session-content.js';
import { SessionConflictError, SessionTamperedError } from './session-errors.js';
import { eventOf, type SessionEvent, type SessionEvents } from './session-events.js';
import { isActive } from './session-lifetime.js';
import { isRotationDue, judgeToken, reissued, rotated, tokenState } from './session-rotation.js';
import type { SessionRow, TokenState } from './session-row.js';
import type { SessionToken, TokenMint } from './session-token.js';

/** A session that a token led to. */
export interface ResolvedSession extends StoredSession {
  /** `current`: may be rotated. `superseded`: served within its grace. `lost`: to be reissued with the response. */
  readonly standing: 'current' | 'superseded' | 'lost';
}

/** Who presents a token, for events. The address is asked for when there is one: platforms compute it. */
export interface Client {
  readonly ip?: string;
}

/** A read that met a change on its way is repeated so often at most. */
const ATTEMPTS = 5;

/** From a presented token to its session, and to the token that the response should carry instead. */
export class SessionResolver {
  constructor(
    private readonly backend: GuardedBackend,
    private readonly vault: SessionVault,
    private readonly mint: TokenMint,
    private readonly clock: Clock,
    private readonly config: SessionConfig,
    private readonly events: SessionEvents,
  ) {}

  /**
   * The session of a recognised token; `null` when the token leads nowhere. The first use of a rotated token is
   * written before it is served; a token that was replaced and comes back ends its session.
   */
  async resolve(token: SessionToken, client: Client = {}): Promise<ResolvedSession | null> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const row = await this.backend.lookUp(token.sessionId);
      if (row === null) return null;
      const now = this.clock.now();
      if (!isActive(row, now)) {
        this.events.emit('expired', this.#event(row, client));
        return null;
      }
      const verdict = judgeToken(row, token.hash, now);
      if (verdict === 'stale') return null;
      if (verdict === 'reuse') return this.#endReused(row, client);
      if (verdict !== 'first-use') return this.#open(row, token, verdict, client);
      const used = { ...row, tokenUsed: true };
      if (await this.#swap(row, used)) return this.#open(used, token, 'current', client);
    }
    throw new SessionConflictError('The token of this session kept changing while it was read. Try again');
  }

  /**
   * The token that the response to this request should carry, or `null` for none: a new one when rotation is asked
   * for or due, or when the last new one was lost. Of several requests, one gets it.
   */
  async nextToken(resolved: ResolvedSession, wanted: boolean): Promise<SessionToken | null> {
    if (!this.isTokenDue(resolved, wanted)) return null;
    const { row, standing } = resolved;
    const now = this.clock.now();
    const token = this.mint.issue(row.id);
    const change = standing === 'lost' ? reissued : rotated;
    const next = change(row, token.hash, now, this.config.rotation.grace);
    if (!(await this.#swap(row, next))) return null;
    this.events.emit('rotated', this.#event(row));
    return token;
  }

  /** Whether `nextToken` would try. Never for bearer tokens: no response carries one by itself. */
  isTokenDue({ row, standing, content }: ResolvedSession, wanted: boolean): boolean {
    if (standing === 'superseded' || transportOf(content) === 'bearer') return false;
    return standing === 'lost' || wanted || isRotationDue(row, this.clock.now(), this.config.rotation.every);
  }

  #swap(row: SessionRow, next: TokenState, authenticatedAt?: number): Promise<boolean> {
    return this.backend.changeToken({
      id: row.id,
      expected: row,
      next: tokenState(next),
      authenticatedAt,
      now: this.clock.now(),
    });
  }

  async #endReused(row: SessionRow, client: Client): Promise<null> {
    const [ended] = await this.backend.delete({ ids: [row.id] });
    if (ended) {
      this.events.emit('reuse', this.#event(row, client));
      this.events.emit('revoked', { ...this.#event(row, client), reason: 'reuse' });
    }
    return null;
  }

  #open(
    row: SessionRow,
    { transport }: SessionToken,
    standing: ResolvedSession['standing'],
    client: Client,
  ): ResolvedSession | null {
    try {
      const content = this.vault.open(row);
      return transportOf(content) === transport ? { row, content, standing } : null;
    } catch (error) {
      if (!(error instanceof SessionTamperedError)) throw error;
      this.events.emit('tampered', this.#event(row, client));
      return null;
    }
  }

  #event(row: SessionRow, { ip }: Client = {}): SessionEvent {
    return eventOf(row, this.clock.now(), ip);
  }
}
