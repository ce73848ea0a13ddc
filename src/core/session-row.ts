/*
 * A session as storage has it: one row.
 */

/** An instant as storage keeps it: milliseconds since the Unix epoch. */
export type EpochMs = number;

/**
 * The token side of a session: which token is current, which one it superseded, and whether the
 * current one has been presented yet. Hashes are SHA-256 in lower-case hex, so storage never holds a token.
 */
export interface TokenState {
  /** Hash of the current token. `null`: the session has no token (the key-value face). */
  readonly tokenHash: string | null;
  /** Hash of the token that the current one superseded. */
  readonly supersededHash: string | null;
  /** When the current token was issued. */
  readonly tokenIssuedAt: EpochMs;
  /** Until when the superseded token is still served. */
  readonly graceUntil: EpochMs;
  /** Whether the current token has been presented since it was issued. */
  readonly tokenUsed: boolean;
  /** Which token of the session the current one is: 0 for the first, one more for each that followed. */
  readonly tokenGeneration: number;
  /** When earlier tokens were replaced: opaque, ASCII, at most 512 characters; empty for the first token. */
  readonly replacedTokens: string;
}

/** One stored session. Everything about the client and its data is inside `payload`, sealed. */
export interface SessionRow extends TokenState {
  /** Public id: a ULID, or any string up to 255 characters for the key-value face. Compared byte for byte. */
  readonly id: string;
  /** Owner, compared byte for byte. `null`: anonymous. */
  readonly userId: string | null;
  /** Opaque, up to 2^53 - 1: every change of the payload stores a value that no other change has. Compared, never ordered. */
  readonly version: number;
  /** Id of the key that sealed `payload`, for health reports. The envelope inside `payload` is authoritative. */
  readonly keyId: string;
  /** The sealed data, flashes and meta. */
  readonly payload: Buffer;
  /** Idle timeout of this session in milliseconds. */
  readonly idleTtl: number;
  /** Whether the cookie outlives the browser session. */
  readonly persistent: boolean;
  readonly createdAt: EpochMs;
  /** Last proof of identity. `null`: never. */
  readonly authenticatedAt: EpochMs | null;
  readonly lastActiveAt: EpochMs;
  /**
   * When the session ends unless it is used. Use at `now` moves it to `now + idleTtl`, `SessionStore.flush` and
   * `touch` to what they are given: never back, and never past `absoluteExpiresAt`.
   */
  readonly expiresAt: EpochMs;
  /** When the session ends however much it is used. */
  readonly absoluteExpiresAt: EpochMs;
}

/** What is told of a row without its payload and its token: whose it is, and when it will expire. */
export type LiveRow = Pick<SessionRow, 'id' | 'userId' | 'expiresAt' | 'absoluteExpiresAt'>;

/** What is left to say of a row that has been deleted. */
export type EndedRow = Pick<SessionRow, 'id' | 'userId' | 'expiresAt' | 'absoluteExpiresAt'>;
