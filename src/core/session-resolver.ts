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
import { followed, isKnownToken, judgeToken, type Standing, tokenState } from './session-rotation.js';
import type { EpochMs, SessionRow, TokenState } from './session-row.js';
import { type SessionToken, transportOf } from './session-token.js';

/** A session that a token led to. */
export interface ResolvedSession extends StoredSession {
  /** `current`: may be rotated. `superseded`: served within its grace. `lost`: to be reissued with the response. */
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

/** Who presents a token, for events. The address is asked for when there is one: platforms compute it. */
export interface Client {
  readonly ip?: string;
}

/** A read that met a change on its way is repeated so often at most. */
const ATTEMPTS = 5;

/** Milliseconds after which the log hears again that storage has gone back. */
const TELLING = 60_000;

/** Finds the session that a presented token leads to, and decides whether that token may be served. */
export class SessionResolver {
  #toldWentBackAt: EpochMs | null = null;
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

  /** The session that may be served to whoever presents a recognised token, or `null`: see `present`. */
  async resolve(token: SessionToken, client?: Client): Promise<ResolvedSession | null> {
    const presented = await this.present(token, client);
    return presented?.standing === 'unserved' ? null : presented;
  }

  /**
   * What a recognised token leads to; `null` when that is no live session. The first use of a rotated token is written
   * before it is served; a token that was replaced and comes back ends its session.
   *
   * @param arrivedAt when the head of the request arrived, in epoch milliseconds: an upload that goes on across a
   *   rotation is no theft. @default the present
   */
  async present(
    token: SessionToken,
    client: Client = {},
    arrivedAt?: EpochMs,
  ): Promise<ResolvedSession | UnservedSession | null> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const row = await this.#backend.lookUp(token.sessionId);
      if (row === null) return null;
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
          return this.#isKin(row, token) ? { standing: 'unserved', row } : null;
        case 'reuse':
          return this.#isKin(row, token) ? this.#endReused(row, client) : null;
        case 'first-use': {
          const used = { ...row, tokenUsed: true };
          if (await this.#swap(row, used)) return this.#open(used, token, 'current', client);
          break;
        }
        case 'ahead': {
          if (!this.#isKin(row, token)) return null;
          const { grace } = this.#config.rotation;
          const ahead = { ...row, ...followed(row, token, { now, clock: this.#clockName, grace }) };
          if (!(await this.#swap(row, ahead))) break;
          this.#tellWentBack(row, now);
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
   * Whether a token that storage does not know was issued for the session, and not made up by somebody who has the key:
   * it has what all tokens of the session share. The earliest tokens share nothing, and are never newer than a row.
   */
  #isKin(row: SessionRow, token: SessionToken): boolean {
    if (isKnownToken(row, token)) return true;
    try {
      const { marks } = this.#sealer.open(row);
      return marks?.kin === undefined ? token.generation <= row.tokenGeneration : token.isKinOf(marks.kin);
    } catch (error) {
      if (error instanceof SessionTamperedError) return false;
      throw error;
    }
  }

  #tellWentBack({ id }: SessionRow, now: EpochMs): void {
    if (this.#toldWentBackAt !== null && Math.abs(now - this.#toldWentBackAt) < TELLING) return;
    this.#toldWentBackAt = now;
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
