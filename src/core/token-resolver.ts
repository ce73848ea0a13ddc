import type { Clock } from './clock.js';
import type { BackendClient } from './backend-client.js';
import { OncePerSession } from './once-per-session.js';
import type { SessionConfig } from './session-options.js';
import { type StoredSession } from './session-content.js';
import type { PayloadSealer } from './payload-sealer.js';
import { SessionConflictError, SessionTamperedError } from './session-errors.js';
import { eventOf, type SessionEvent, type SessionEvents } from './session-events.js';
import { isActive } from './session-expiry.js';
import type { SessionLogger } from './session-logger.js';
import { caughtUp, isKnownToken, judgeToken, type Standing, tokenState } from './rotation-policy.js';
import type { EpochMs, SessionRow, TokenState } from './session-row.js';
import { type SessionToken, transportOf } from './session-token.js';

/*
 * Finding the session that a presented token leads to, and what becomes of a token that was replaced.
 */

/** A session that a token led to. */
export interface ResolvedSession extends StoredSession {
  /**
   * `current`: its token may be rotated. `superseded`: its token was replaced and is within its grace. `lost`: the response
   * with the token that replaced this one was lost, so the response to this request carries another.
   */
  readonly standing: Standing;
}

/**
 * A live session whose token is genuine, but not good enough to read it: replaced a moment ago, or its payload does not
 * open. The session can be ended, and nothing else: the client has a session, so it must not be given another one.
 */
export interface UnservedSession {
  readonly standing: 'unserved';
  readonly row: Pick<SessionRow, 'id' | 'userId'>;
}

/**
 * The session that a genuine token names, where nothing is stored under that id: it has ended. Whoever asked for that may have
 * been refused, because storage could not say that it lasts.
 */
export interface MissingSession {
  readonly standing: 'missing';
  readonly id: string;
}

/** What a genuine token leads to. */
export type FoundSession = ResolvedSession | UnservedSession | MissingSession;

/** Whether the session may be served to whoever presented the token. */
export function isServed(found: FoundSession): found is ResolvedSession {
  return found.standing !== 'unserved' && found.standing !== 'missing';
}

/** Who presents a token, for events. `ip` is read only for an event: platforms compute it each time. */
export interface Client {
  readonly ip?: string;
}

/** How often a token is read at most, when others keep changing it between the read and the write that follows. */
const MAX_ATTEMPTS = 5;

/** Milliseconds between two log lines about storage that has been set back. */
const SET_BACK_LOG_INTERVAL = 60_000;

/** Finds the session that a presented token leads to, and decides whether the session may be served. */
export class TokenResolver {
  #setBackLoggedAt: EpochMs | null = null;
  readonly #expired = new OncePerSession();
  readonly #tampered = new OncePerSession();

  readonly #backend: BackendClient;
  readonly #sealer: PayloadSealer;
  readonly #clock: Clock;
  readonly #clockName: string;
  readonly #config: SessionConfig;
  readonly #events: SessionEvents;
  readonly #logger: SessionLogger;

  constructor(
    backend: BackendClient,
    sealer: PayloadSealer,
    clock: Clock,
    clockName: string,
    config: SessionConfig,
    events: SessionEvents,
    logger: SessionLogger,
  ) {
    this.#backend = backend;
    this.#sealer = sealer;
    this.#clock = clock;
    this.#clockName = clockName;
    this.#config = config;
    this.#events = events;
    this.#logger = logger;
  }

  /**
   * The session that may be served to whoever presents a recognised token, or `null`: as `resolveAny`, without
   * those that are not served, or not there.
   */
  async resolve(token: SessionToken, client?: Client): Promise<ResolvedSession | null> {
    const found = await this.resolveAny(token, client);
    return found !== null && isServed(found) ? found : null;
  }

  /**
   * The live session that a recognised token leads to, served or not, or the id under which nothing is stored; `null` when
   * there is a row, and the token does not lead to it any more, or never did. That a rotated token has been used for the first
   * time is stored before it is served. A replaced token that is presented again after its time ends its session.
   *
   * @param arrivedAt when the head of the request arrived, in epoch milliseconds: an upload that goes on across a
   *   rotation is no theft. @default now
   * @throws SessionConflictError when others changed the token during each of five attempts
   */
  async resolveAny(
    token: SessionToken,
    client: Client = {},
    arrivedAt?: EpochMs,
  ): Promise<FoundSession | null> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const row = await this.#backend.lookUp(token.sessionId);
      if (row === null) return { standing: 'missing', id: token.sessionId };
      const now = this.#clock.now();
      if (!isActive(row, now)) {
        if (this.#expired.isFirst(row.id)) this.#events.emit('expired', this.#event(row, client));
        return null;
      }
      const at = { now: arrivedAt ?? now, clock: this.#clockName };
      const verdict = judgeToken(row, token, at);
      switch (verdict) {
        case 'none':
          return null;
        case 'stale':
          return this.#isIssuedFor(row, token) ? { standing: 'unserved', row } : null;
        case 'reuse':
          return this.#isIssuedFor(row, token) ? this.#endReused(row, client) : null;
        case 'first-use': {
          const used = { ...row, tokenUsed: true };
          if (await this.#swap(row, used)) return this.#open(used, token, 'current', client);
          break;
        }
        case 'ahead': {
          if (!this.#isIssuedFor(row, token)) return null;
          const { grace } = this.#config.rotation;
          const ahead = { ...row, ...caughtUp(row, token, { now, clock: this.#clockName, grace }) };
          if (!(await this.#swap(row, ahead))) break;
          this.#logSetBack(row, now);
          return this.#open(ahead, token, 'current', client);
        }
        default:
          return this.#open(row, token, verdict, client);
      }
    }
    throw new SessionConflictError('The token of this session kept changing while it was read. Try again');
  }

  #swap(row: SessionRow, next: TokenState): Promise<boolean> {
    return this.#backend.changeToken({
      id: row.id,
      expected: row,
      next: tokenState(next),
      now: this.#clock.now(),
    });
  }

  /**
   * Whether the token was issued for this session, rather than made up by somebody who has the key. Storage knows two
   * tokens by their hashes; the others prove it by the secret that all tokens of one session share (`kin`). Sessions from
   * before there was that secret have no token that is newer than their row.
   */
  #isIssuedFor(row: SessionRow, token: SessionToken): boolean {
    if (isKnownToken(row, token)) return true;
    try {
      const { marks } = this.#sealer.open(row);
      return marks?.kin === undefined ? token.generation <= row.tokenGeneration : token.isKinOf(marks.kin);
    } catch (error) {
      if (error instanceof SessionTamperedError) return false;
      throw error;
    }
  }

  #logSetBack({ id }: SessionRow, now: EpochMs): void {
    if (this.#setBackLoggedAt !== null && Math.abs(now - this.#setBackLoggedAt) < SET_BACK_LOG_INTERVAL)
      return;
    this.#setBackLoggedAt = now;
    this.#logger.warn(
      `A token of the session ${id} is newer than what is stored: storage has gone back, to a backup or in a failover. ` +
        'It was accepted; sessions that had ended since are live again. This is said once a minute at most',
    );
  }

  async #endReused(row: SessionRow, client: Client): Promise<null> {
    const [ended] = await this.#backend.delete({ ids: [row.id] });
    if (ended) {
      this.#events.emit('reuse', this.#event(row, client));
      this.#events.emit('revoked', { ...this.#event(row, client), reason: 'reuse' });
    }
    return null;
  }

  #open(
    row: SessionRow,
    { transport }: SessionToken,
    standing: ResolvedSession['standing'],
    client: Client,
  ): ResolvedSession | UnservedSession | null {
    try {
      const content = this.#sealer.openPresented(row);
      return transportOf(content) === transport ? { row, content, standing } : null;
    } catch (error) {
      if (!(error instanceof SessionTamperedError)) throw error;
      if (this.#tampered.isFirst(row.id)) this.#events.emit('tampered', this.#event(row, client));
      return { standing: 'unserved', row };
    }
  }

  #event(row: SessionRow, { ip }: Client = {}): SessionEvent {
    return eventOf(row, this.#clock.now(), ip);
  }
}
