import { inspect } from 'node:util';
import type { JsonObject } from './json-data.js';
import type { SessionContent } from './session-content.js';
import type { SessionRow } from './session-row.js';
import type { SessionToken } from './session-token.js';

/*
 * A stored session as `SessionStore` returns it.
 */

/** What is stored under a key of the app's own: an owner, or `null`, and a JSON object. */
export interface SessionState<T extends object = JsonObject> {
  /** The owner, or `null`. `SessionStore.destroyAllForUser()` removes what a user owns. */
  readonly userId: string | null;
  /** The JSON object that is kept. */
  readonly data: T;
}

/**
 * Whether a stored payload opens: `'intact'`, it does; `'tampered'`, it was altered or moved; `'unknown-key'`, the key
 * that sealed it is not among `key`. Only lists show sessions that are not intact, without data and meta, so that they
 * can be revoked.
 */
export type SessionIntegrity = 'intact' | 'tampered' | 'unknown-key';

/**
 * One stored session, as it was when it was read: what `SessionStore` gives. It does not change when storage does.
 *
 * `data` is read by name alone: it is no field of the record, so that nothing that walks, copies, prints or serialises a
 * record meets it.
 *
 * @example
 * ```ts
 * const [record] = await store.listForUser(user.id);
 * console.log(record?.data, record?.meta.deviceName, record?.lastActiveAt);
 * console.log(JSON.stringify(record)); // without data
 * ```
 */
export class SessionRecord<T extends object = JsonObject> implements SessionState<T> {
  readonly #data: T;
  /** Public id, safe to log and to show. */
  readonly id: string;
  /** The owner, as a string; `null`: an anonymous session. */
  readonly userId: string | null;
  /** What is kept about the client of the sign-in: `{ ip, userAgent, deviceName, deviceType }` and what the app added. */
  readonly meta: JsonObject;
  /** Whether the row opened. If it did not, `data` and `meta` are empty. */
  readonly integrity: SessionIntegrity;
  readonly createdAt: Date;
  /** When the user last proved who they are; `null`: never. */
  readonly authenticatedAt: Date | null;
  /** When the last use was written down: up to `touchInterval` before the last use itself. */
  readonly lastActiveAt: Date;
  /** When the session ends unless it is used: never later than `absoluteExpiresAt`. */
  readonly expiresAt: Date;
  /** When it ends, however much it is used. */
  readonly absoluteExpiresAt: Date;

  /** @internal */
  constructor(row: SessionRow, content: SessionContent | Exclude<SessionIntegrity, 'intact'>) {
    this.id = row.id;
    this.userId = row.userId;
    this.#data = (typeof content === 'string' ? {} : content.data) as T;
    this.meta = typeof content === 'string' ? {} : content.meta;
    this.integrity = typeof content === 'string' ? content : 'intact';
    this.createdAt = new Date(row.createdAt);
    this.authenticatedAt = row.authenticatedAt === null ? null : new Date(row.authenticatedAt);
    this.lastActiveAt = new Date(row.lastActiveAt);
    this.expiresAt = new Date(Math.min(row.expiresAt, row.absoluteExpiresAt));
    this.absoluteExpiresAt = new Date(row.absoluteExpiresAt);
  }

  /** The data, a JSON object; `{}` where the row did not open. */
  get data(): T {
    return this.#data;
  }

  /** What may be logged: everything but the data. */
  toJSON(): Omit<SessionRecord, 'data' | 'toJSON' | typeof inspect.custom> {
    const { ...rest }: Omit<SessionRecord<T>, 'data' | 'toJSON' | typeof inspect.custom> = this;
    return rest;
  }

  [inspect.custom](): string {
    return `SessionRecord ${inspect(this.toJSON())}`;
  }
}

/** A stored session and the token that leads to it. The token can be read only now: storage keeps its hash. */
export interface SessionWithToken {
  readonly session: SessionRecord;
  readonly token: SessionToken;
}
