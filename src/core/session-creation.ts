import { monotonicFactory } from 'ulid';
import type { Clock } from './clock.js';
import { type BackendClient, MOST_INSERTS } from './backend-client.js';
import { toInstant } from './instant.js';
import type { JsonObject } from './json-data.js';
import type { InsertRequest, InsertResult } from './session-backend.js';
import { applyChanges, mergeData, type SessionChanges } from './merge-changes.js';
import { type SessionContent, type SessionMarks, type StoredSession } from './session-content.js';
import type { PayloadSealer } from './payload-sealer.js';
import { gone, SessionDataError, SessionLimitError, SessionTamperedError } from './session-errors.js';
import { isActive } from './session-expiry.js';
import type { SessionConfig } from './session-options.js';
import { randomNumbers } from './random-numbers.js';
import { firstToken, tokenState } from './rotation-policy.js';
import type { SessionRow, TokenState } from './session-row.js';
import { newVersion } from './session-version.js';
import { newKin, type SessionToken, type TokenIssuer, transportOf } from './session-token.js';

/*
 * Making a new session: what is asked for, the row that follows from it, and the insert.
 */

/** A new session that carries a token. */
export interface NewSession {
  /** Owner; `null`: anonymous. */
  readonly userId: string | null;
  readonly meta: JsonObject;
  /** Id of the session that it replaces, which ends in the same step. */
  readonly previousId: string | null;
  /** `false`: nothing of the replaced session is carried over, since its token was not good enough to read it. */
  readonly carries?: boolean;
  /**
   * Owner of that session, as it was when the sign-in began. A sign-in of the same user needs it to be there still:
   * whoever ended it meanwhile ended the user's sessions, and this one would survive that. @default null
   */
  readonly previousUserId?: string | null;
  /** Made to the content that is carried over; without a previous session, to an empty one. */
  readonly changes: SessionChanges;
  /** Top-level keys set last. */
  readonly data: JsonObject;
  /** `true`: the `remember` lifetimes and a persistent cookie. `false`: a browser-session cookie. */
  readonly remember?: boolean;
  /** Default persistence of the cookie. */
  readonly persistent: boolean;
  /** The absolute expiry is not later than this. */
  readonly notAfter?: Date;
  /** Transport of its token and family of the client, which stay with the session. */
  readonly marks?: SessionMarks;
}

/** What a row was made with, which is sealed or hashed in it. */
interface Made {
  readonly version: number;
  readonly content: SessionContent;
  readonly token: SessionToken;
}

/** An insert that happened. */
export type Inserted = Extract<InsertResult, { status: 'inserted' }>;

/** A created session, with its token, which cannot be read from storage later. */
export interface CreatedSession extends StoredSession {
  readonly token: SessionToken;
  readonly inserted: Inserted;
}

/** What a new row is made of. */
export interface RowPlan {
  readonly id: string;
  readonly userId: string | null;
  readonly content: SessionContent;
  readonly now: number;
  readonly token: TokenState;
  readonly idleTtl: number;
  readonly absoluteExpiresAt: number;
  readonly persistent: boolean;
  readonly createdAt: number;
  readonly authenticatedAt: number | null;
}

/** The content of a session that holds nothing. */
export const EMPTY_CONTENT: SessionContent = { data: {}, flashes: [], meta: {} };

/**
 * The row of a plan, its content sealed. Its version is a new one, so that a row that was stored anew under an old id is not
 * taken for the old one.
 */
export function sealRow(sealer: PayloadSealer, { content, token, now, ...plan }: RowPlan): SessionRow {
  return {
    ...plan,
    ...tokenState(token),
    ...sealer.seal(content, plan.id, plan.userId),
    version: newVersion(),
    lastActiveAt: now,
    expiresAt: Math.min(now + plan.idleTtl, plan.absoluteExpiresAt),
  };
}

/** Creates the sessions that carry tokens, for anonymous visitors and for sign-ins. */
export class SessionCreation {
  readonly #backend: BackendClient;
  readonly #sealer: PayloadSealer;
  readonly #issuer: TokenIssuer;
  readonly #clock: Clock;
  readonly #config: SessionConfig;
  /** Ids in order of creation, also within one millisecond. */
  readonly #nextId = monotonicFactory(randomNumbers());

  constructor(
    backend: BackendClient,
    sealer: PayloadSealer,
    issuer: TokenIssuer,
    clock: Clock,
    config: SessionConfig,
  ) {
    this.#backend = backend;
    this.#sealer = sealer;
    this.#issuer = issuer;
    this.#clock = clock;
    this.#config = config;
  }

  /**
   * Inserts the new session, ends the one it replaces and keeps the user's limit, in one atomic step. The data of
   * the previous session is carried over unless it belonged to another user or has ended meanwhile.
   *
   * @throws SessionGoneError when the previous session was the same user's, and has been ended meanwhile
   * @throws SessionLimitError when the limit is reached and `onLimit` is `'reject'`
   * @throws SessionStoreError also when storage stores nothing, whatever the id is
   * @throws SessionTooLargeError
   * @see OWASP ASVS 5.0, 7.2.4 (a new token at authentication, the old one ended)
   */
  async create(session: NewSession): Promise<CreatedSession> {
    for (let count = 0; count < MOST_INSERTS; count++) {
      const created = await this.#createOnce(session);
      if (created !== null) return created;
    }
    throw this.#backend.notStored();
  }

  /** As `create`, under one id. `null`: that is taken. */
  async #createOnce(session: NewSession): Promise<CreatedSession | null> {
    const { userId, previousId: replaces } = session;
    const limit = this.#limitFor(userId);
    let id: string | undefined;
    // Storage may build several before it knows which of them it holds.
    const made: Made[] = [];
    const build: InsertRequest['build'] = (replaced) => {
      if (isEndedMeanwhile(session, replaced)) return null;
      const now = this.#clock.now();
      id ??= this.#nextId(now) + this.#backend.idSuffix(userId);
      const kin = newKin();
      const own = this.#contentOf(session, replaced, now);
      const content = { ...own, marks: { ...own.marks, kin } };
      const token = this.#issuer.issue(id, { generation: 0, kin, transport: transportOf(content) });
      const row = sealRow(this.#sealer, {
        ...this.#lifetimeOf(session, now),
        id,
        userId,
        content,
        now,
        token: firstToken(token.hash, now),
      });
      made.push({ version: row.version, content, token });
      return row;
    };
    const notBefore = this.#clock.now();
    const result = await this.#backend.insert({ userId, limit, replaces, notBefore, build });
    if (result.status === 'refused') throw gone();
    if (result.status === 'limit') throw limitReached(this.#config.maxPerUser);
    if (result.status !== 'inserted') return null;
    const { row } = result;
    const one = made.find(({ version }) => version === row.version) ?? made.at(-1);
    return one ? { row, content: one.content, token: one.token, inserted: result } : null;
  }

  #limitFor(userId: string | null): InsertRequest['limit'] {
    const { maxPerUser, onLimit } = this.#config;
    return userId === null || maxPerUser === false ? null : { max: maxPerUser, onLimit };
  }

  #lifetimeOf({ userId, remember, persistent, notAfter }: NewSession, now: number) {
    const { ttl, absoluteTtl } = remember === true ? this.#config.remember : this.#config;
    const latest = notAfter === undefined ? Infinity : toInstant('notAfter', notAfter);
    const absoluteExpiresAt = Math.min(now + absoluteTtl, latest);
    if (!(absoluteExpiresAt > now)) {
      throw new SessionDataError('`notAfter`: expected a Date in the future, got one that is past', {
        path: 'notAfter',
        fault: 'input', // of an identity provider's token that has expired
      });
    }
    return {
      idleTtl: userId === null ? this.#config.anonymousTtl : ttl,
      absoluteExpiresAt,
      persistent: remember ?? persistent,
      createdAt: now,
      authenticatedAt: userId === null ? null : now,
    };
  }

  #contentOf(
    { userId, meta, previousId, carries = true, changes, data, marks }: NewSession,
    replaced: SessionRow | null,
    now: number,
  ): SessionContent {
    const carried = previousId === null || !carries ? EMPTY_CONTENT : this.#carried(replaced, userId, now);
    const content = carried === null ? EMPTY_CONTENT : applyChanges(carried, changes);
    const merged = mergeData(content.data, { replace: false, set: data, remove: [] });
    return { data: merged, flashes: content.flashes, meta, marks };
  }

  /** What the replaced session hands over; `null` when it has ended, belonged to another user, or does not open. */
  #carried(replaced: SessionRow | null, userId: string | null, now: number): SessionContent | null {
    if (replaced === null || !isActive(replaced, now)) return null;
    if (replaced.userId !== null && replaced.userId !== userId) return null;
    try {
      return this.#sealer.open(replaced);
    } catch (error) {
      if (error instanceof SessionTamperedError) return null;
      throw error;
    }
  }
}

/**
 * Whether the user's own previous session has been ended since the sign-in began. One that has only expired is there
 * until it is pruned, and was ended by nobody.
 */
function isEndedMeanwhile({ userId, previousUserId }: NewSession, replaced: SessionRow | null): boolean {
  const wasTheirs = userId !== null && previousUserId === userId;
  return wasTheirs && replaced?.userId !== userId;
}

function limitReached(max: number | false): SessionLimitError {
  return new SessionLimitError(
    `The user already has ${max} active sessions (\`maxPerUser\`), and \`onLimit\` is 'reject'. Nothing was stored: ` +
      'end one of them first',
  );
}
