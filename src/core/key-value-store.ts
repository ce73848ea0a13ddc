import { MOST_INSERTS } from './backend-client.js';
import { type Duration, parseLifetime } from './duration.js';
import { toSessionId, toUserId, type UserId } from './identifiers.js';
import { type JsonObject, toJsonObject } from './json-data.js';
import type { SessionContent } from './session-content.js';
import { EMPTY_CONTENT, sealRow } from './session-creation.js';
import type { SessionParts } from './session-parts.js';
import { gone, SessionConflictError, SessionTamperedError } from './session-errors.js';
import { eventOf } from './session-events.js';
import { isActive } from './session-expiry.js';
import { SessionRecord } from './session-record.js';
import { firstToken } from './rotation-policy.js';
import type { SessionRow } from './session-row.js';

/*
 * Sessions under keys of the app's own: the key-value methods of `SessionStore`.
 */

/**
 * Values under keys, each with a lifetime: the part of `SessionStore` that code should ask for which needs no more of it.
 *
 * `K` is what a key is, `V` what is put, `R` what comes back.
 *
 * @example
 * ```ts
 * export class Drafts {
 *   constructor(private readonly kept: KeyValueStore<string, SessionStateInput, SessionRecord>) {}
 *
 *   async keep(userId: string, text: string) {
 *     await this.kept.put(`draft:${userId}`, { userId, data: { text } }, '7d');
 *   }
 *
 *   async find(userId: string) {
 *     return (await this.kept.get(`draft:${userId}`))?.data ?? null;
 *   }
 * }
 * ```
 */
export interface KeyValueStore<K, V, R = V> {
  /** The value of a key; `null` when there is none, or it has expired. */
  get(key: K): Promise<R | null>;
  /**
   * Inserts a value, or replaces the one that is there.
   *
   * @param ttl how long it lives: milliseconds, or a string such as `'30m'`
   */
  put(key: K, value: V, ttl: Duration): Promise<R>;
  /** Removes a value; whether there was one. Idempotent. */
  delete(key: K): Promise<boolean>;
  /** Deletes the values that have expired; how many. */
  pruneExpired(): Promise<number>;
}

/** The value that is stored under a key. */
export interface SessionStateInput {
  /** Owner; `null`: anonymous. */
  readonly userId: UserId | null;
  /** A JSON object. */
  readonly data: object;
}

/** What a key may refer to. */
export interface KeyOptions {
  /**
   * `true`: the key may be the id of a session that carries a token, and is then that session. Not for keys that come
   * from a client: session ids are public. @default false
   */
  readonly sessions?: boolean;
}

/** The same, checked, with its key and lifetime in milliseconds. */
interface StatePlan {
  readonly id: string;
  readonly userId: string | null;
  readonly data: JsonObject;
  readonly idleTtl: number;
}

/**
 * Stores sessions under ids that the caller chooses, without tokens and without limits: `SessionStore` as a
 * `KeyValueStore`. An active session that carries a token is none of its values, unless the caller says so.
 */
export class KeyedSessions {
  readonly #parts: SessionParts;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  /** The live value of a key. */
  async get(id: string, options?: KeyOptions): Promise<SessionRecord | null> {
    const row = this.#active(await this.#parts.backend.lookUp(toSessionId(id)));
    if (row !== null && isUnallowedSession(row, options)) throw sessionKey();
    return row && new SessionRecord(row, this.#parts.sealer.open(row));
  }

  /** Inserts or replaces. */
  async put(
    id: string,
    input: SessionStateInput,
    ttl: Duration,
    options?: KeyOptions,
  ): Promise<SessionRecord> {
    const plan = this.#plan(toSessionId(id), input, ttl);
    // Somebody else may store the key between the look at it and the INSERT, but hardly end it again each time.
    for (let count = 0; count < MOST_INSERTS; count++) {
      const result = await this.#parts.backend.insert({
        userId: plan.userId,
        limit: null,
        replaces: plan.id,
        build: (stored) => {
          const old = this.#active(stored);
          return old !== null && isUnallowedSession(old, options) ? null : this.#rowOf(plan, plan.id, old);
        },
      });
      if (result.status === 'refused') throw sessionKey();
      if (result.status === 'inserted') return this.#created(result.row, result.replaced);
    }
    throw this.#parts.backend.notStored();
  }

  /** The old session ends and the new one begins in one step. */
  async cycle(
    oldId: string,
    newId: string,
    input: SessionStateInput,
    ttl: Duration,
    options?: KeyOptions,
  ): Promise<SessionRecord> {
    let isRefused = false;
    const plan = this.#plan(toSessionId(newId), input, ttl);
    if (toSessionId(oldId) === plan.id) throw taken();
    const result = await this.#parts.backend.insert({
      userId: plan.userId,
      limit: null,
      replaces: oldId,
      build: (stored) => {
        const old = this.#active(stored);
        isRefused = old !== null && isUnallowedSession(old, options);
        if (old === null || isRefused) return null;
        return this.#rowOf(plan, plan.id, { ...old, ...firstToken(null, this.#parts.clock.now()) });
      },
    });
    if (result.status === 'refused') throw isRefused ? sessionKey() : gone();
    if (result.status !== 'inserted') throw taken();
    return this.#created(result.row, result.replaced);
  }

  #plan(id: string, input: SessionStateInput, ttl: Duration): StatePlan {
    return {
      id,
      userId: input.userId === null ? null : toUserId(input.userId),
      data: toJsonObject(input.data),
      idleTtl: parseLifetime('ttl', ttl),
    };
  }

  /** The row that takes the place of `old`: what was proved and what was promised stays, for the same owner. */
  #rowOf(plan: StatePlan, id: string, old: SessionRow | null): SessionRow {
    const { clock, config, sealer } = this.#parts;
    const now = clock.now();
    const kept = old !== null && old.userId === plan.userId ? old : null;
    return sealRow(sealer, {
      id,
      userId: plan.userId,
      content: { ...this.#contentOf(kept), data: plan.data },
      now,
      token: kept ?? firstToken(null, now),
      idleTtl: plan.idleTtl,
      absoluteExpiresAt: old?.absoluteExpiresAt ?? now + config.absoluteTtl,
      persistent: kept?.persistent ?? true,
      createdAt: old?.createdAt ?? now,
      authenticatedAt: kept ? kept.authenticatedAt : plan.userId === null ? null : now,
    });
  }

  #contentOf(row: SessionRow | null): SessionContent {
    try {
      return row ? this.#parts.sealer.open(row) : EMPTY_CONTENT;
    } catch (error) {
      if (error instanceof SessionTamperedError) return EMPTY_CONTENT;
      throw error;
    }
  }

  #active(row: SessionRow | null): SessionRow | null {
    return row !== null && isActive(row, this.#parts.clock.now()) ? row : null;
  }

  #created(row: SessionRow, replaced: SessionRow | null): SessionRecord {
    const { clock, events } = this.#parts;
    if (this.#active(replaced) === null || replaced?.id !== row.id) {
      events.emit('created', eventOf(row, clock.now()));
    }
    if (replaced !== null && replaced.id !== row.id) {
      events.emit('revoked', { ...eventOf(replaced, clock.now()), reason: 'replaced' });
    }
    return new SessionRecord(row, this.#parts.sealer.open(row));
  }
}

/** Whether the row is a session that carries a token, and the caller did not allow those. */
function isUnallowedSession(row: SessionRow, options: KeyOptions | undefined): boolean {
  return row.tokenHash !== null && options?.sessions !== true;
}

function sessionKey(): SessionConflictError {
  return new SessionConflictError(
    'The key is the id of a session that carries a token. Nothing was read or changed: choose another key, and give ' +
      'keys from clients a prefix of your own; if that session is meant, say so with `{ sessions: true }`',
  );
}

function taken(): SessionConflictError {
  return new SessionConflictError(
    'A session with the new id exists already. Nothing was changed: choose another id',
  );
}
