import type { CleanupClaim } from './cleanup-lease.js';
import { OncePerSession } from './once-per-session.js';
import { RowError } from './row-errors.js';
import type {
  BackendHealth,
  InsertRequest,
  InsertResult,
  ListRequest,
  PayloadChange,
  PruneResult,
  PruneStep,
  RowSelection,
  SessionBackend,
  TokenChange,
  Touch,
  WalkResult,
  WalkStep,
} from './session-backend.js';
import { SessionError, SessionStoreError } from './session-errors.js';
import type { EndedRow, EpochMs, LiveRow, SessionRow } from './session-row.js';
import { type CallKind, Outage } from './outage.js';
import type { SessionLogger } from './session-logger.js';
import { withTimeout } from './timeout.js';
import { nextTick, performance, setImmediate } from './timers.js';

/** What a token has room for. */
const ID_SUFFIX = /^([0-9A-HJKMNP-TV-Z]{2})?$/;

/** How often a session is inserted while storage says that its id is taken: by chance not even two ids in a row are. */
export const MOST_INSERTS = 10;

/** One look-up that waits for the next `find`. */
interface PendingLookup {
  resolve(row: SessionRow | null): void;
  reject(error: unknown): void;
}

/** One change that waits for the next `save`. */
interface PendingSave {
  readonly change: PayloadChange;
  readonly resolve: (hit: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Calls a `SessionBackend` for the rest of the library. It prepares the storage before the first call, limits how long
 * each call may take, turns every failure into a `SessionStoreError`, logs an outage once, and sends the look-ups of
 * one event-loop turn together, and so the saves of one tick.
 */
export class BackendClient {
  readonly #backend: SessionBackend;
  /** Milliseconds that one call may take. */
  readonly #timeout: number;
  #preparing: Promise<void> | null = null;
  #isReady = false;
  #pending = new Map<string, PendingLookup[]>();
  #saves: PendingSave[] = [];
  readonly #logger: SessionLogger;
  /** `null`: no call has failed yet. */
  #outage: Outage | null = null;
  /** What has been logged of single rows: those that say it by themselves, and what is said of all. */
  readonly #toldOfRows = new OncePerSession();

  constructor(backend: SessionBackend, timeout: number, logger: SessionLogger) {
    this.#backend = backend;
    this.#timeout = timeout;
    this.#logger = logger;
  }

  /** Creates what the storage needs. After a failure the next call tries again. */
  init(): Promise<void> {
    this.#preparing ??= this.#prepare();
    return this.#preparing;
  }

  async close(): Promise<void> {
    await this.#preparing?.catch(() => undefined);
    try {
      await this.#withinTimeout(() => this.#backend.close());
    } catch (cause) {
      throw storeError('close the session storage', cause);
    }
  }

  /**
   * One row, or `null`. Sent together with the other look-ups of this event-loop turn, never added to a call under way,
   * so that every write that was acknowledged before is seen.
   */
  lookUp(id: string): Promise<SessionRow | null> {
    return new Promise((resolve, reject) => {
      const waiting = this.#pending.get(id);
      if (waiting) waiting.push({ resolve, reject });
      else this.#pending.set(id, [{ resolve, reject }]);
      if (this.#pending.size === 1 && !waiting) setImmediate(() => void this.#sendLookups());
    });
  }

  alive(ids: readonly string[], now: EpochMs): Promise<ReadonlyArray<LiveRow | null>> {
    return this.#call('read', 'check open sessions', () => this.#backend.alive(ids, now));
  }

  /** A session that is stored after its caller was told that it is not is deleted again: nobody has its token. */
  async insert(request: InsertRequest): Promise<InsertResult> {
    let isGivenUp = false;
    const insert = async (): Promise<InsertResult> => {
      const result = await this.#backend.insert({ ...request, isGivenUp: () => isGivenUp });
      if (isGivenUp) void this.#takeBack(request, result);
      return result;
    };
    try {
      return await this.#call('write', 'store a session', insert);
    } catch (error) {
      isGivenUp = true;
      throw error;
    }
  }

  /** The error when storage has answered `MOST_INSERTS` inserts, each with `taken`. It is in the log, as an outage is. */
  notStored(): SessionStoreError {
    const reason =
      'storage takes the INSERT of a session and stores nothing. It said so ' +
      `${MOST_INSERTS} times in a row: look for a trigger or a rule that drops rows of the table, and for a unique index ` +
      'besides its primary key';
    return this.#failed('write', 'store a session', new Error(reason));
  }

  /**
   * Sent together with all saves that are asked for before the next tick. Each has its own outcome, also when they
   * fail together.
   */
  save(change: PayloadChange): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#saves.push({ change, resolve, reject });
      if (this.#saves.length === 1) nextTick(() => void this.#sendSaves());
    });
  }

  touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    return this.#call('write', 'record the use of a session', () => this.#backend.touch(touches));
  }

  changeToken(change: TokenChange): Promise<boolean> {
    return this.#call('write', 'change the token of a session', () => this.#backend.changeToken(change));
  }

  delete(selection: RowSelection): Promise<readonly EndedRow[]> {
    return this.#call('write', 'end sessions', () => this.#backend.delete(selection));
  }

  list(request: ListRequest): Promise<readonly SessionRow[]> {
    return this.#call('read', 'list sessions', () => this.#backend.list(request));
  }

  walk(step: WalkStep): Promise<WalkResult> {
    return this.#call('read', 'list active sessions', () => this.#backend.walk(step));
  }

  prune(step: PruneStep): Promise<PruneResult> {
    return this.#call('write', 'delete expired sessions', () => this.#backend.prune(step));
  }

  /** Whether storage keeps all processes but one from cleaning up. */
  get leasesCleanup(): boolean {
    return this.#backend.leasesCleanup;
  }

  claimCleanup(claim: CleanupClaim): Promise<boolean> {
    return this.#call('write', 'delete expired sessions', () => this.#backend.claimCleanup(claim));
  }

  health(): Promise<BackendHealth> {
    return this.#call('read', 'check the storage', () => this.#backend.health());
  }

  /** For a report in the background: a failure is no outage, and is not logged. */
  async keysInUse(now: EpochMs): Promise<ReadonlySet<string>> {
    if (!this.#isReady) await this.init();
    try {
      return await this.#withinTimeout(() => this.#backend.keysInUse(now));
    } catch (cause) {
      throw storeError('list keys', cause);
    }
  }

  /** As `SessionBackend.idSuffix`. @throws SessionStoreError for one that no token can carry */
  idSuffix(userId: string | null): string {
    const suffix = this.#backend.idSuffix(userId);
    if (ID_SUFFIX.test(suffix)) return suffix;
    throw new SessionStoreError(
      `\`idSuffix\` of the backend: expected '' or two characters of Crockford's base 32, got '${suffix}'`,
    );
  }

  /** Whether the storage forgets expired rows by itself. */
  get expiresNatively(): boolean {
    return this.#backend.expiresNatively;
  }

  /** Of a row that is known by its id alone, the caller may ask again. */
  async #takeBack({ replaces }: InsertRequest, result: InsertResult): Promise<void> {
    if (result.status !== 'inserted') return;
    const { id, tokenHash } = result.row;
    if (tokenHash === null || id === replaces) return;
    await this.#backend.delete({ ids: [id] }).catch(() => undefined); // it ends by itself, like any that is not used
  }

  async #sendSaves(): Promise<void> {
    const saves = this.#saves;
    this.#saves = [];
    const begun = performance.now();
    try {
      const hits = await this.#sendChanges(saves.map(({ change }) => change));
      saves.forEach(({ resolve }, index) => resolve(hits[index] ?? false));
    } catch (error) {
      // Storage that answers, if only with an error, is tried again with each save alone, so that one that cannot be
      // stored fails alone. Storage recognises one that it has stored the first time. One that misses may have been stored, and
      // changed by somebody since: its caller gets the error.
      const isFinal = saves.length === 1 || performance.now() - begun > this.#timeout / 2;
      for (const { change, resolve, reject } of saves) {
        if (isFinal) reject(error);
        else this.#sendChanges([change]).then(([hit]) => (hit ? resolve(true) : reject(error)), reject);
      }
    }
  }

  #sendChanges(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    return this.#call('write', 'save a session', () => this.#backend.save(changes));
  }

  async #sendLookups(): Promise<void> {
    const pending = this.#pending;
    this.#pending = new Map();
    return this.#findTogether(pending);
  }

  /** A row that cannot be read fails alone, so those that were looked up with it are looked up without it. */
  async #findTogether(pending: ReadonlyMap<string, readonly PendingLookup[]>): Promise<void> {
    const ids = [...pending.keys()];
    try {
      const rows = await this.#call('read', 'read a session', () => this.#backend.find(ids));
      ids.forEach((id, index) => pending.get(id)?.forEach((one) => one.resolve(rows[index] ?? null)));
    } catch (error) {
      const isOfOne = pending.size > 1 && error instanceof Error && error.cause instanceof RowError;
      if (isOfOne) for (const entry of pending) void this.#findTogether(new Map([entry]));
      else for (const waiting of pending.values()) for (const one of waiting) one.reject(error);
    }
  }

  async #prepare(): Promise<void> {
    try {
      await this.#bounded('read', 'prepare the session storage', () =>
        this.#backend.init({ timeout: this.#timeout }),
      );
      this.#isReady = true;
    } finally {
      this.#preparing = null;
    }
  }

  #call<T>(kind: CallKind, what: string, call: () => Promise<T>): Promise<T> {
    return this.#isReady
      ? this.#bounded(kind, what, call)
      : this.init().then(() => this.#bounded(kind, what, call));
  }

  async #bounded<T>(kind: CallKind, what: string, call: () => Promise<T>): Promise<T> {
    try {
      const result = await this.#withinTimeout(call);
      this.#outage?.succeeded(kind);
      return result;
    } catch (cause) {
      throw cause instanceof SessionError ? cause : this.#failed(kind, what, cause);
    }
  }

  #failed(kind: CallKind, what: string, cause: unknown): SessionStoreError {
    const error = storeError(what, cause);
    if (cause instanceof RowError) this.#tellOfRow(kind, error.message);
    else (this.#outage ??= new Outage(this.#logger)).failed(kind, error.message);
    return error;
  }

  /** Storage has answered, so it is no outage. Whoever has the cookie of such a row could fill the log with it. */
  #tellOfRow(kind: CallKind, message: string): void {
    this.#outage?.succeeded(kind);
    if (!this.#toldOfRows.isFirst(message)) return;
    this.#logger.warn(`A session is not served: ${message.replace(/\.$/, '')}. This is said once`);
  }

  #withinTimeout<T>(call: () => Promise<T>): Promise<T> {
    return withTimeout(call, this.#timeout, () => {
      throw new Error(`no answer within ${this.#timeout} ms (the \`timeout\` option)`);
    });
  }
}

function storeError(what: string, cause: unknown): SessionStoreError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SessionStoreError(`Could not ${what}: ${reason}`, { cause });
}
