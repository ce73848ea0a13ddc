import type { BackendClient } from './backend-client.js';
import type { Clock } from './clock.js';
import type { PayloadSealer } from './payload-sealer.js';
import { type StoredSession } from './session-content.js';
import { SessionConflictError, SessionDataError } from './session-errors.js';
import { eventOf, type SessionEvent, type SessionEvents } from './session-events.js';
import { requireActive } from './session-expiry.js';
import type { SessionConfig } from './session-options.js';
import type { ResolvedSession } from './token-resolver.js';
import { nextGeneration, reissued, renewed, rotated, tokenState } from './rotation-policy.js';
import type { SessionRow, TokenState } from './session-row.js';
import { type SessionToken, type TokenIssuer, type TokenPlan, transportOf } from './session-token.js';

/*
 * Storing a new token for a session: by age, on request, and after renewed proof of identity.
 */

/** A renewed token, and what changed in the row with it. */
export interface Renewal {
  readonly token: SessionToken;
  readonly changed: TokenState & Pick<SessionRow, 'authenticatedAt'>;
}

/**
 * Gives a stored session a new token. The old one is exchanged by compare-and-swap, so that of several callers at once one
 * succeeds. `rotation-policy.ts` decides what the row looks like afterwards.
 */
export class TokenRotation {
  readonly #backend: BackendClient;
  readonly #sealer: PayloadSealer;
  readonly #issuer: TokenIssuer;
  readonly #clock: Clock;
  readonly #clockName: string;
  readonly #config: SessionConfig;
  readonly #events: SessionEvents;

  constructor(
    backend: BackendClient,
    sealer: PayloadSealer,
    issuer: TokenIssuer,
    clock: Clock,
    clockName: string,
    config: SessionConfig,
    events: SessionEvents,
  ) {
    this.#backend = backend;
    this.#sealer = sealer;
    this.#issuer = issuer;
    this.#clock = clock;
    this.#clockName = clockName;
    this.#config = config;
    this.#events = events;
  }

  /** A new token in place of the one that a request has presented; `null` when another request got it. */
  async rotatePresented(resolved: ResolvedSession): Promise<SessionToken | null> {
    const { row, standing } = resolved;
    const token = this.#issuer.issue(row.id, {
      generation: nextGeneration(row),
      kin: resolved.content.marks?.kin,
    });
    const at = this.#replacedAt(this.#config.rotation.grace);
    const next = (standing === 'lost' ? reissued : rotated)(row, token.hash, at);
    const change = { id: row.id, expected: row, next: tokenState(next), now: at.now };
    if (!(await this.#backend.changeToken(change))) return null;
    this.#events.emit('rotated', this.#event(row));
    return token;
  }

  /**
   * A new token for whatever is stored under that id.
   *
   * @param grace milliseconds for which the old one still works
   * @throws SessionGoneError when the session is missing or has expired
   * @throws SessionDataError when it has no token
   * @throws SessionConflictError when another rotation of the same token won
   */
  async rotate(id: string, grace: number): Promise<SessionToken> {
    const at = this.#replacedAt(grace);
    const row = requireActive(await this.#backend.lookUp(id), at.now);
    if (row.tokenHash === null) {
      throw new SessionDataError(
        'The session has no token to rotate: it was stored with `save`, `put` or `cycle`',
      );
    }
    const token = this.#issuer.issue(row.id, { ...this.#planOf(row), generation: nextGeneration(row) });
    const next = rotated(row, token.hash, at);
    if (!(await this.#backend.changeToken({ id, expected: row, next, now: at.now }))) {
      requireActive(await this.#backend.lookUp(id), this.#clock.now());
      throw new SessionConflictError('Another rotation of the same token won. Read the session again');
    }
    this.#events.emit('rotated', this.#event(row));
    return token;
  }

  /**
   * A new token after renewed proof of identity: the old one is not served again, not even for the grace.
   *
   * @throws SessionGoneError when the session has ended
   */
  async renew({ row, content }: StoredSession, ip?: string): Promise<Renewal> {
    for (let known: SessionRow | null = row; ; known = await this.#backend.lookUp(row.id)) {
      const at = this.#replacedAt(this.#config.rotation.grace);
      const current = requireActive(known, at.now, row.userId);
      const plan = { generation: nextGeneration(current), kin: content.marks?.kin };
      const token = this.#issuer.issue(row.id, { ...plan, transport: transportOf(content) });
      const next = renewed(current, token.hash, at);
      const change = { id: row.id, expected: current, next, authenticatedAt: at.now, now: at.now };
      if (!(await this.#backend.changeToken(change))) continue;
      this.#events.emit('authenticated', this.#event(row, ip));
      this.#events.emit('rotated', this.#event(row, ip));
      return { token, changed: { ...next, authenticatedAt: at.now } };
    }
  }

  #replacedAt(grace: number) {
    return { now: this.#clock.now(), clock: this.#clockName, grace };
  }

  /** Of a session whose payload does not open the token is as good as any: it is not served anyway. */
  #planOf(row: SessionRow): Pick<TokenPlan, 'kin' | 'transport'> {
    try {
      const content = this.#sealer.open(row);
      return { kin: content.marks?.kin, transport: transportOf(content) };
    } catch {
      return { kin: undefined };
    }
  }

  #event(row: SessionRow, ip?: string): SessionEvent {
    return eventOf(row, this.#clock.now(), ip);
  }
}
