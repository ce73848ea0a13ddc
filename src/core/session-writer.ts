import type { Clock } from './clock.js';
import type { BackendClient } from './backend-client.js';
import { KeyedMutex } from './mutex.js';
import type { SessionContent, StoredSession } from './session-content.js';
import type { PayloadSealer } from './payload-sealer.js';
import { SessionConflictError } from './session-errors.js';
import { idleExpiry, requireActive } from './session-expiry.js';
import type { EpochMs, SessionRow } from './session-row.js';
import { newVersion } from './session-version.js';
import { performance, sleep } from './timers.js';

/*
 * Writing the content of stored sessions, so that no write of another request is lost.
 */

/** A change of the content of one session. */
export interface ContentWrite {
  readonly id: string;
  /** Owner of the session: another one's is not written. */
  readonly userId?: string | null;
  /** What the caller has read. Tried first, so that an undisturbed write costs one statement. */
  readonly known?: StoredSession;
  /** New `lastActiveAt` and `expiresAt`, from the stored row. */
  readonly use: (row: SessionRow) => Pick<SessionRow, 'lastActiveAt' | 'expiresAt'>;
  /**
   * The new content, from the stored content; `null` when there is nothing to store. Called again after a conflict.
   */
  readonly apply: (content: SessionContent) => SessionContent | null | Promise<SessionContent | null>;
}

/** Longest pause before a conflicting write is tried again, in milliseconds. */
const LONGEST_PAUSE = 20;

/**
 * Writes the content of sessions. Each write replaces the version that it was made from and is made again when somebody
 * else was first, so that no write is lost; writes of one session in this process wait for each other, so that they do
 * not conflict.
 */
export class SessionWriter {
  readonly #backend: BackendClient;
  readonly #sealer: PayloadSealer;
  readonly #clock: Clock;
  /** Milliseconds that a write may wait and retry. */
  readonly #timeout: number;
  /** Waits between attempts: milliseconds. */
  readonly #pause: (delay: number) => Promise<unknown>;
  readonly #perSession = new KeyedMutex();

  constructor(
    backend: BackendClient,
    sealer: PayloadSealer,
    clock: Clock,
    timeout: number,
    pause: (delay: number) => Promise<unknown> = sleep,
  ) {
    this.#backend = backend;
    this.#sealer = sealer;
    this.#clock = clock;
    this.#timeout = timeout;
    this.#pause = pause;
  }

  /**
   * Resolves to what is stored afterwards.
   *
   * @throws SessionGoneError when the session has ended
   * @throws SessionConflictError when others kept changing it until the timeout
   */
  write(write: ContentWrite): Promise<StoredSession> {
    const deadline = performance.now() + this.#timeout;
    const limits = { maxWait: this.#timeout, tooLate: () => this.#conflict(), maxHold: this.#timeout };
    return this.#perSession.run(write.id, () => this.#retry(write, deadline), limits);
  }

  async #retry(write: ContentWrite, deadline: number): Promise<StoredSession> {
    let current = write.known;
    for (let attempt = 1; ; attempt++) {
      current ??= await this.#read(write);
      const saved = await this.#attempt(write, current);
      if (saved) return saved;
      if (performance.now() > deadline) throw this.#conflict();
      if (attempt > 1) await this.#pause(Math.random() * Math.min(LONGEST_PAUSE, 2 ** attempt));
      current = undefined;
    }
  }

  async #read(write: ContentWrite): Promise<StoredSession> {
    const row = requireActive(await this.#backend.lookUp(write.id), this.#clock.now(), write.userId);
    return { row, content: this.#sealer.open(row) };
  }

  async #attempt(write: ContentWrite, { row, content }: StoredSession): Promise<StoredSession | null> {
    const next = await write.apply(content);
    if (next === null) return { row, content };
    const { lastActiveAt, expiresAt } = write.use(row);
    const { payload, keyId } = this.#sealer.seal(next, row.id, row.userId);
    const version = newVersion();
    const now: EpochMs = this.#clock.now();
    const hit = await this.#backend.save({
      id: row.id,
      now,
      expectedVersion: row.version,
      version,
      lastActiveAt,
      expiresAt,
      payload,
      keyId,
    });
    // Named one by one: of objects that are spread into one with members, V8 makes slow ones.
    return hit ? { row: { ...row, lastActiveAt, expiresAt, payload, keyId, version }, content: next } : null;
  }

  #conflict(): SessionConflictError {
    return new SessionConflictError(
      `Other requests kept changing this session for ${this.#timeout} ms (the \`timeout\` option). Nothing was saved: ` +
        'try again, and keep slow work out of `update(fn)`',
    );
  }
}

/** A write that counts as use at `now`: it moves the idle expiry. */
export function usedAt(now: EpochMs): ContentWrite['use'] {
  return (row) => ({
    lastActiveAt: Math.max(row.lastActiveAt, now),
    expiresAt: Math.max(row.expiresAt, idleExpiry(row, now)),
  });
}

/** A write that does not count as use. */
export const unused: ContentWrite['use'] = ({ lastActiveAt, expiresAt }) => ({ lastActiveAt, expiresAt });
