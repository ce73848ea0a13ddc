import { HttpException } from '@nestjs/common';
import {
  cloneJson,
  isSameJson,
  type JsonObject,
  type JsonValue,
  toJsonObject,
} from '../../core/json-data.js';
import { applyChanges, hasChanges } from '../../core/merge-changes.js';
import { Mutex } from '../../core/mutex.js';
import { type SessionContent, type StoredSession } from '../../core/session-content.js';
import type { CreatedSession } from '../../core/session-creation.js';
import { gone, SessionConflictError, SessionError, SessionStoreError } from '../../core/session-errors.js';
import type { SessionManager } from '../../core/session-manager.js';
import type { ResolvedSession, UnservedSession } from '../../core/session-resolver.js';
import type { SessionRow } from '../../core/session-row.js';
import { type SessionToken, transportOf } from '../../core/session-token.js';
import { type ContentWrite, unused, usedAt } from '../../core/session-writer.js';
import { setImmediate } from '../../core/timers.js';
import { type Snapshot, WorkingCopy } from '../../core/working-copy.js';
import { CrossSiteRequestException } from '../errors/exceptions.js';
import { describeError, toHttpException } from '../errors/to-http-exception.js';
import { FloatingPromises } from './floating-promises.js';
import type { RequestFacts } from './request-facts.js';

/** What the response has to tell the client about its cookie. */
export type CookieChange =
  | { readonly kind: 'set'; readonly token: SessionToken; readonly row: SessionRow }
  | { readonly kind: 'remove' };

/**
 * Whether there is anything left to do before the response may leave, as a glance tells. `clean`: nothing. `changed`:
 * something is to be saved, or saving finds out that there is nothing, or that it cannot be. `busy`: a method of the
 * session is under way, or has failed with nobody there to handle it.
 */
export type SessionStatus = 'clean' | 'changed' | 'busy';

/** The sessions that the token of a request leads to. */
export interface LoadedSession {
  /** The one to serve. */
  readonly resolved: ResolvedSession | null;
  /**
   * The live one whose token is not good enough for it to be served: a sign-in or a sign-out ends it, and nothing else
   * begins another one beside it.
   */
  readonly unserved: UnservedSession | null;
}

/** What a response has to say of its session. */
export interface LeavingSession {
  /** `null`: the client keeps the cookie that it has. */
  readonly cookie: CookieChange | null;
  /** Whether something looked at the session, so that the response depends on the token of the request. */
  readonly isRead: boolean;
  /** Whose session the response may show; `null`: nobody's. */
  readonly userId: string | null;
  /** Why the last call to the session failed; `null`: none did. */
  readonly failure: unknown;
}

/** What has to be done before changes are saved: a session that Passport has signed out ends, for instance. */
export interface BeforeSave {
  readonly isDue: boolean;
  run(): Promise<void>;
}

/** Data that never equals its stored form (a `toJSON` that differs each time) must not hold a response for ever. */
const SETTLE_ROUNDS = 3;

const NOTHING_STORED: Pick<SessionContent, 'data' | 'flashes'> = { data: {}, flashes: [] };

/**
 * The session of one request: what is stored of it, the working copy, and the cookie that the response owes. It decides
 * what is saved, whether the token is rotated and whether the use is recorded, and is the only one that changes any of
 * this. Steps that write run one after the other.
 */
export class RequestSessionState {
  readonly #sessions: SessionManager;
  readonly #resolved: ResolvedSession | null;
  #unserved: UnservedSession | null;
  #facts: RequestFacts;
  /** What storage holds, as far as this request knows; `null` while nothing is stored. */
  #stored: StoredSession | null;
  #copy: WorkingCopy;
  #cookie: CookieChange | null = null;
  #beforeSave: BeforeSave | null = null;
  #promises: FloatingPromises | null = null;
  #flushing: Promise<unknown> | null = null;
  readonly #steps = new Mutex();

  /** Whether serving the request counts as use of the session; `null`: it does once something reads the session. */
  #countsAsTouch: boolean | null;
  #isRead: boolean;
  /** `rotate()` was called. */
  #isRotationWanted = false;
  /** Why the last call to the session failed, if one did. */
  #failure: unknown = null;

  /** Whose session this was when another request ended it. Their sign-in has to come with a request of its own. */
  #endedUserId: string | null = null;
  /** Another request has ended the session, and may have set a cookie that one of ours would replace. */
  #isStraggler = false;
  /** This request has ended the session that its cookie led to. */
  #isCookieSpent = false;
  readonly #presentedId: string | null;

  /** The head of the response has left, so that no cookie can go with it any more. */
  #isCommitted = false;
  /** The response is over, or its client went away. */
  #isClosed = false;
  /** Whether the next access is looked at, since no response is to come behind which to save what it changes. */
  #savesNextAccess = false;

  /** @param countsAsTouch `null`: not routed yet */
  constructor(
    sessions: SessionManager,
    facts: RequestFacts,
    { resolved, unserved }: LoadedSession,
    countsAsTouch: boolean | null,
  ) {
    this.#sessions = sessions;
    this.#facts = facts;
    this.#resolved = resolved;
    this.#unserved = unserved;
    this.#stored = resolved;
    this.#copy = new WorkingCopy(resolved?.content ?? NOTHING_STORED);
    this.#presentedId = resolved?.row.id ?? unserved?.row.id ?? null;
    this.#countsAsTouch = countsAsTouch;
    this.#isRead = resolved !== null && countsAsTouch !== null;
  }

  get facts(): RequestFacts {
    return this.#facts;
  }

  get sessions(): SessionManager {
    return this.#sessions;
  }

  /** What storage holds, as far as this request knows; `null` while nothing is stored. */
  get stored(): StoredSession | null {
    return this.#stored;
  }

  /** Id of the session that a sign-in or a sign-out of this request ends. */
  get presentId(): string | null {
    return this.#stored?.row.id ?? this.#unserved?.row.id ?? null;
  }

  /** Whose session another request has ended meanwhile. */
  get endedUserId(): string | null {
    return this.#endedUserId;
  }

  /** What the response has to tell the client about its cookie; `null`: nothing. */
  get cookie(): CookieChange | null {
    return this.#cookie;
  }

  /** How long the cookie lives; of a session that is not stored, how long it would. */
  get cookieLife(): Pick<SessionRow, 'persistent' | 'createdAt' | 'absoluteExpiresAt'> {
    if (this.#stored) return this.#stored.row;
    const now = this.#sessions.clock.now();
    const { absoluteTtl } = this.#sessions.config;
    return { persistent: this.#facts.persistent, createdAt: now, absoluteExpiresAt: now + absoluteTtl };
  }

  /** The data and messages as this request sees and changes them. */
  get copy(): WorkingCopy {
    return this.#copy;
  }

  get status(): SessionStatus {
    if (this.#promises?.arePending || this.#steps.isBusy) return 'busy';
    return this.#copy.isUnchanged && !this.#beforeSave?.isDue ? 'clean' : 'changed';
  }

  /**
   * Whether there is nothing to save, also where a glance cannot tell: a Date in the data may have the JSON form that is
   * stored.
   */
  get #isSettled(): boolean {
    const { status } = this;
    if (status !== 'changed') return status === 'clean';
    if (this.#beforeSave?.isDue) return false;
    try {
      return !hasChanges(this.#copy.take().changes);
    } catch {
      return false; // saving it says why it cannot be
    }
  }

  // What happens to the request

  /** The request has come to a route. Each guard of the route says so. */
  route(countsAsTouch: boolean): void {
    this.#countsAsTouch = countsAsTouch || this.#countsAsTouch === true; // what middleware touched stays touched
    this.#isRead ||= this.#resolved !== null;
  }

  /** The platform has made another object of the request. */
  replaceFacts(facts: RequestFacts): void {
    this.#facts = facts;
  }

  /** Whether serving the request counts as use of the session, whatever was known of that before. */
  countAsTouch(countsAsTouch: boolean): void {
    this.#countsAsTouch = countsAsTouch;
  }

  /** The session was handed out. */
  noteRead(): void {
    this.#isRead = true;
  }

  /** The app reaches for data or messages. Where the response is over, nothing else would look at what it changes. */
  noteAccess(): void {
    if (!this.#savesNextAccess || !this.#isCommitted) return;
    this.#savesNextAccess = false;
    setImmediate(() => this.close());
  }

  /** A call to the session has failed. What `update(fn)` of the app throws is the app's, and Nest's to log. */
  noteFailure(error: unknown): void {
    if (error instanceof SessionError || error instanceof HttpException) this.#failure = error;
  }

  /**
   * Refuses a request of another site's page that brings a session along, and forgets what middleware has changed in it.
   * What brings none is served, until it would begin one: a route that keeps nothing is open to every page.
   *
   * @throws CrossSiteRequestException
   */
  admit(): void {
    const refusal = this.presentId === null ? null : this.#facts.refusalOf('change');
    if (!refusal) return;
    this.discard();
    throw refusal;
  }

  /** The head of the response has left. */
  commit(): void {
    this.#isCommitted = true;
    this.#promises?.detach();
  }

  /** The response is over, or its client went away, which is no end of the handler: what it still changes is saved. */
  close(): void {
    this.#isClosed = true;
    this.#savesNextAccess = true;
    this.#promises?.detach();
    for (const error of this.#promises?.takeUnhandled() ?? []) this.#reportUnhandled(error);
    if (this.#isCommitted && this.status !== 'clean') void this.flushLate();
  }

  // What is done before the response leaves

  /** What is done before each save, where something is. */
  get beforeSave(): BeforeSave | null {
    return this.#beforeSave;
  }

  /** `step` is asked before each save whether it is due, and done then. */
  runBeforeSave(step: BeforeSave): void {
    this.#beforeSave = step;
  }

  /**
   * Saves what has changed, behind the promises that were handed out.
   *
   * @throws the first of their failures that nobody handles, when everything else has been saved
   */
  async flush(): Promise<void> {
    this.#flushing = this.#saveAll();
    try {
      await this.#flushing;
    } finally {
      this.#flushing = null;
    }
  }

  /**
   * Does what has to be done before the first byte of the response leaves: what has changed is saved, promises that nobody
   * awaited and what they change meanwhile included, and the token is rotated if that is due. At once, if there is nothing.
   * The session then leaves with the response.
   */
  settle(): LeavingSession | Promise<LeavingSession> {
    return this.#isSettled && !this.isRotationDue ? this.leave() : this.#settle();
  }

  async #settle(): Promise<LeavingSession> {
    await this.#flushing;
    for (let round = 0; round < SETTLE_ROUNDS && !this.#isSettled; round++) await this.#saveAll();
    await this.rotateIfDue();
    return this.leave();
  }

  #saveAll(): Promise<unknown> {
    return this.#beforeSave === null && this.#promises === null ? this.save() : this.#saveBehindPromises();
  }

  async #saveBehindPromises(): Promise<void> {
    const unhandled = this.#promises?.arePending ? await this.#promises.settled() : [];
    for (const error of unhandled.slice(1))
      this.#reportUnhandled(error, 'beside another one, which is answered');
    const isOutage = unhandled[0] instanceof SessionStoreError;
    if (!isOutage) {
      if (this.#beforeSave?.isDue) await this.#beforeSave.run();
      await this.save();
    }
    if (unhandled.length > 0) throw unhandled[0];
  }

  /** Saves what was changed after the first byte had left. Nobody can be told any more, but the log. Never rejects. */
  async flushLate(): Promise<void> {
    try {
      if (!(await this.save())) return;
      this.#facts.log?.(
        'error',
        'the session was changed after the response had begun. It was saved, but the client was not told, and no cookie ' +
          'could be set: change sessions before answering',
      );
    } catch (error) {
      this.discard();
      if (error instanceof CrossSiteRequestException) return; // logged as all of these are
      this.#facts.log?.(
        'error',
        `the session was changed after the response had begun, and could not be saved: ${String(error)}`,
      );
    }
  }

  /** Whether the response should carry a new token in place of the one that the request came with. */
  get isRotationDue(): boolean {
    const [resolved, stored] = [this.#resolved, this.#stored];
    if (!this.#isRead || resolved === null || this.#cookie !== null) return false;
    if (stored?.row.id !== resolved.row.id) return false;
    return this.#sessions.isRotationDue(resolved, this.#isRotationWanted) && !this.#facts.isCrossSiteChange;
  }

  /** Rotates the token if that is due. What fails leaves the presented token in force, so the response goes out all the same. */
  rotateIfDue(): Promise<void> {
    return this.runInTurn(async () => {
      if (!this.isRotationDue || this.#resolved === null || this.#stored === null) return;
      try {
        const token = await this.#sessions.rotateIfDue(this.#resolved, this.#isRotationWanted);
        if (token) this.#cookie = { kind: 'set', token, row: this.#stored.row };
      } catch (error) {
        this.#facts.log?.('warn', `the session token was not rotated: ${String(error)}`);
      }
    });
  }

  /** Records the use of the session, if serving the request is one and the last record is old enough. */
  touchIfDue(): void {
    if (this.#stored === null || !this.#isTouch) return;
    const { row } = this.#stored;
    if (this.#sessions.isTouchDue(row) && !this.#facts.isCrossSiteChange) this.#sessions.touch(row);
  }

  /** The head of the response leaves now. What it has to say, and why a call to the session has failed, if one has. */
  leave(): LeavingSession {
    this.commit();
    this.touchIfDue();
    const userId = this.#stored?.row.userId ?? this.#resolved?.row.userId ?? null;
    return { cookie: this.#cookie, isRead: this.#isRead, userId, failure: this.#failure };
  }

  get #isTouch(): boolean {
    return this.#countsAsTouch ?? this.#isRead;
  }

  // What the session's methods do

  /**
   * Runs a method of the session for the app: what it throws leaves as an exception, and fails the response when nobody
   * handles it.
   */
  handOut<R>(method: () => Promise<R>): Promise<R> {
    if (this.#facts.log === null) return this.#attempt(method);
    this.#promises ??= new FloatingPromises(
      (error) => this.#reportUnhandled(error),
      !this.#isCommitted && !this.#isClosed,
    );
    return this.#promises.start((done) => this.#attempt(method, done));
  }

  async #attempt<R>(method: () => Promise<R>, done?: () => void): Promise<R> {
    try {
      const result = await method();
      done?.();
      return result;
    } catch (error) {
      this.noteFailure(error);
      throw toHttpException(error);
    }
  }

  /**
   * Runs after the steps before it have ended.
   *
   * @throws SessionConflictError when they have not after `timeout`: a step inside `update(fn)` waits for itself
   */
  runInTurn<T>(step: () => Promise<T>): Promise<T> {
    const { timeout } = this.#sessions.config;
    return this.#steps.run(step, { maxWait: timeout, tooLate: () => keptBusy(timeout) });
  }

  /** Saves what has changed; whether there was anything. */
  save(): Promise<boolean> {
    return this.runInTurn(async () => {
      const snapshot = this.#copy.take();
      if (!hasChanges(snapshot.changes)) return false;
      const stored = this.#stored;
      if (stored === null) return this.#begin(snapshot);
      this.refuseCrossSite('change');
      this.#facts.checkData(stored.content.data, snapshot.changes.set, stored.row.userId);
      const content = (now: SessionContent) => ifChanged(now, applyChanges(now, snapshot.changes));
      // Replaced by what it was when it was read: whether that is still there, only storage knows.
      const first = content(stored.content);
      const known = first === null ? undefined : stored;
      const apply = (now: SessionContent) => (now === stored.content ? first : content(now));
      this.#adopt(await this.#sessions.write({ ...this.#target(stored), known, apply }), snapshot);
      return true;
    });
  }

  /** Atomic read-modify-write; what `fn` made becomes the data. */
  update<R>(fn: (data: JsonObject) => R | Promise<R>): Promise<R> {
    return this.runInTurn(async () => {
      const runs: { snapshot: Snapshot; result: R }[] = [];
      const apply = async (content: SessionContent) => {
        const snapshot = this.#copy.take();
        const fresh = applyChanges(content, snapshot.changes);
        const data = cloneJson(fresh.data);
        runs.unshift({ snapshot, result: await fn(data) });
        const next = toJsonObject(data);
        this.#facts.checkData(content.data, next, this.#stored?.row.userId ?? null);
        return ifChanged(content, { ...fresh, data: next });
      };
      if (this.#stored) {
        this.refuseCrossSite('change');
        const written = await this.#sessions.write({ ...this.#target(this.#stored), apply });
        this.#adopt(written, runs[0]?.snapshot);
      } else {
        const content = await apply({ ...NOTHING_STORED, meta: {} });
        if (content && runs[0]) await this.#begin({ ...runs[0].snapshot, changes: asChanges(content) });
      }
      return (runs[0] as { result: R }).result;
    });
  }

  /**
   * Reads the session again. What has not been saved is lost.
   *
   * @throws SessionGoneError when it has ended meanwhile
   */
  reload(): Promise<void> {
    return this.runInTurn(async () => {
      if (this.#stored !== null) this.#stored = await this.#sessions.reload(this.#stored);
      this.discard();
    });
  }

  /** The changes of the working copy so far, for a session that is to take them over: see `begin`. */
  snapshot(): Snapshot {
    return this.#copy.take();
  }

  /** The stored session is another one from now on, or none. `snapshot` is what has been stored of the copy. */
  begin(created: CreatedSession, snapshot: Snapshot): void {
    this.#adopt(created, snapshot);
    const { token, row, inserted } = created;
    this.#noteEnded(inserted.replaced);
    this.#unserved = null;
    if (token.transport === 'cookie') this.#cookie = { kind: 'set', token, row };
    else this.#cookie = this.#isCookieSpent ? { kind: 'remove' } : null;
  }

  /** The same session has a new token. */
  renewed(token: SessionToken, stored: StoredSession): void {
    this.#stored = stored;
    if (token.transport === 'cookie') this.#cookie = { kind: 'set', token, row: stored.row };
  }

  /** The response shall carry a new token, if it leaves with the session that the request came with. */
  wantRotation(): void {
    this.#isRotationWanted = true;
  }

  /**
   * The session has been ended, by this request or by another before it: from now on this is a new, empty, anonymous
   * one. Only the request that ended it may touch the cookie: the client may have a newer one by now.
   */
  ended({ by }: { by: 'this-request' | 'another' }): void {
    const hadCookie = this.#stored !== null && transportOf(this.#stored.content) === 'cookie';
    if (by === 'this-request') this.#noteEnded((this.#stored ?? this.#unserved)?.row);
    else this.#endedUserId = this.#stored?.row.userId ?? this.#endedUserId;
    this.#stored = null;
    this.#unserved = null;
    this.discard();
    const isRemoved = by === 'this-request' && (hadCookie || this.#isCookieSpent);
    this.#cookie = isRemoved ? { kind: 'remove' } : null;
    this.#isStraggler = by === 'another';
  }

  #noteEnded(row: Pick<SessionRow, 'id'> | null | undefined): void {
    this.#isCookieSpent ||= !this.#facts.isBearer && row != null && row.id === this.#presentedId;
  }

  /** Forgets what has not been saved. */
  discard(): void {
    this.#copy = new WorkingCopy(this.#stored?.content ?? NOTHING_STORED);
  }

  /** @throws SessionConflictError when no cookie can go out any more, so that the session would be out of reach */
  requireCookie(what: string): void {
    if (!this.#isCommitted) return;
    throw new SessionConflictError(
      `Cannot ${what}: the response has already left, so its cookie would never arrive. Nothing was changed: ` +
        'do it before the response is sent',
    );
  }

  /** @throws CrossSiteRequestException when a page of another site made the browser send the request */
  refuseCrossSite(step: 'change' | 'sign-in'): void {
    const refusal = this.#facts.refusalOf(step);
    if (refusal) throw refusal;
  }

  #target({ row }: StoredSession): Omit<ContentWrite, 'apply'> {
    return {
      id: row.id,
      userId: row.userId,
      use: this.#isTouch ? usedAt(this.#sessions.clock.now()) : unused,
    };
  }

  /**
   * Stores a new anonymous session, unless there is nothing in it, or none may begin; whether it has.
   *
   * @throws what `#mayBegin` throws
   */
  async #begin(snapshot: Snapshot): Promise<boolean> {
    const { changes } = snapshot;
    const hasData = Object.keys(changes.set).length > 0;
    if (!hasData && changes.flashesAdded.length === 0) return false;
    if (!this.#mayBegin(hasData)) {
      this.discard();
      return false;
    }
    this.#facts.checkData({}, changes.set, null);
    this.requireCookie('start a session');
    const { persistent, ip } = this.#facts;
    const session = {
      userId: null,
      meta: this.#facts.describeClient({}),
      previousId: null,
      changes,
      data: {},
      persistent,
    };
    this.begin(await this.#sessions.create(session, ip), snapshot);
    return true;
  }

  /**
   * Whether a session may begin. If not, what it would have held is dropped: all that a visit wants to keep whose
   * browser withheld its cookie, and the messages of a straggler, of a token that leads to a live session without being
   * served, and of a bearer token that leads to none.
   *
   * @throws CrossSiteRequestException when a page of another site made the browser send the request
   * @throws SessionGoneError for data of these: there is no cookie that may be set
   */
  #mayBegin(hasData: boolean): boolean {
    this.refuseCrossSite('change');
    if (this.#facts.isCookieWithheld) return false;
    const isOutOfReach = this.#isStraggler || this.#unserved !== null || this.#facts.isBearer;
    if (isOutOfReach && hasData) throw gone();
    return !isOutOfReach;
  }

  #adopt(stored: StoredSession, snapshot: Snapshot | undefined): void {
    this.#stored = stored;
    if (snapshot) this.#copy.settle(snapshot, stored.content);
  }

  #reportUnhandled(error: unknown, when = 'after the response had begun'): void {
    this.#facts.log?.(
      'error',
      `a step of the session that nobody awaits failed ${when}: ${describeError(error)}`,
    );
  }
}

function asChanges(content: SessionContent): Snapshot['changes'] {
  return { replace: true, set: content.data, remove: [], flashesAdded: content.flashes, flashesRead: [] };
}

/** `next`, or `null` when it is what is there already. */
function ifChanged(content: SessionContent, next: SessionContent): SessionContent | null {
  const isSame =
    isSameJson(next.data, content.data) && isSameJson(next.flashes, content.flashes as unknown as JsonValue);
  return isSame ? null : next;
}

function keptBusy(timeout: number): SessionConflictError {
  return new SessionConflictError(
    `Another step of the same request kept its session for ${timeout} ms (the \`timeout\` option). Nothing was ` +
      'changed: await no method of the session inside `update(fn)`, change its `data` argument instead',
  );
}
