import { inspect } from 'node:util';
import type { JsonObject } from './json-data.js';
import type { SessionContent } from './session-content.js';
import type { SessionRow } from './session-row.js';
import type { SessionToken } from './session-token.js';

/** An owner, or `null`, and a JSON object: what is stored under a key. */
export interface SessionState<T extends object = JsonObject> {
  readonly userId: string | null;
  readonly data: T;
}

/**
 * Whether a stored payload opens: `intact`; `tampered` (altered or moved); `unknown-key` (the key that sealed it is
 * not configured). Only listings show rows that are not intact, without data and meta, so that they can be revoked.
 */
export type SessionIntegrity = 'intact' | 'tampered' | 'unknown-key';

/**
 * One stored session, as it was when it was read. `data` is a getter and no field, so that code that prints, copies or
 * serialises a record does not disclose it.
 */
export class SessionRecord<T extends object = JsonObject> implements SessionState<T> {
  readonly #data: T;
  /** Public id, safe to log and to show. */
  readonly id: string;
  /** Owner. `null`: anonymous. */
  readonly userId: string | null;
  /** About the client at sign-in: `{ ip, userAgent, deviceName, deviceType }` and what the app added. */
  readonly meta: JsonObject;
  readonly integrity: SessionIntegrity;
  readonly createdAt: Date;
  /** Last proof of identity. `null`: never. */
  readonly authenticatedAt: Date | null;
  /** Last recorded use; up to `touchInterval` behind. */
  readonly lastActiveAt: Date;
  /** When the session ends unless it is used. */
  readonly expiresAt: Date;
  /** When it ends however much it is used. */
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

  get data(): T {
    return this.#data;
  }

  /** Everything but the data. */
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
