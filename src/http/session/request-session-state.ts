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
import {
  gone,
  SessionConflictError,
  SessionError,
  SessionGoneError,
  SessionStoreError,
} from '../../core/session-errors.js';
import type { SessionManager } from '../../core/session-manager.js';
import type { ResolvedSession, UnservedSession } from '../../core/token-resolver.js';
import type { EpochMs, SessionRow } from '../../core/session-row.js';
import { type SessionToken, transportOf } from '../../core/session-token.js';
import { type ContentWrite, unused, usedAt } from '../../core/session-writer.js';
import { setImmediate } from '../../core/timers.js';
import { type Snapshot, WorkingCopy } from '../../core/working-copy.js';
import { CrossSiteRequestException } from '../errors/exceptions.js';
import { describeError, toHttpException } from '../errors/to-http-exception.js';
import { FloatingPromises } from './floating-promises.js';
import type { RequestFacts } from './request-facts.js';

/*
 * The session of one request: the class that keeps it, and what it is given and asked for.
 */

/** What the response does with the cookie of the session. */
export type CookieChange =
  | { readonly kind: 'set'; readonly token: SessionToken; readonly row: SessionRow }
  | { readonly kind: 'remove' };

/**
 * Whether something has to be done before the response is sent, found out without copying the data. `clean`: nothing.
 * `changed`: there may be changes to save, which may fail. `busy`: a method of the session is under way, or was rejected and
 * may be unhandled.
 */
export type SessionStatus = 'clean' | 'changed' | 'busy';

/** What the tokens of a request lead to beside the session that it is served. */
export interface OtherSessions {
  /**
   * A live one whose token is genuine, but which may not be served. A sign-in or a sign-out ends it; until then no new
   * session begins.
   */
  readonly unserved: UnservedSession | null;
  /**
   * Ids that genuine tokens name, and that nothing is stored under. What ends the session of the request deletes them all the
   * same: an earlier call may have ended one, and been refused because storage could not say that this lasts.
   */
  readonly missing: readonly string[];
}

/** The sessions that the tokens of a request lead to. */
export interface LoadedSession extends OtherSessions {
  /** The one to serve. */
  readonly resolved: ResolvedSession | null;
}

/** Tokens that lead to nothing, or none. */
export const NO_SESSION: LoadedSession = { resolved: null, unserved: null, missing: [] };

/** What the head of a response needs to know about its session. */
export interface LeavingSession {
  /** `null`: the client keeps the cookie that it has. */
  readonly cookie: CookieChange | null;
  /** Whether something read the session, so that the response depends on the token of the request. */
  readonly isRead: boolean;
  /** Whose session the response may show; `null`: nobody's. */
  readonly userId: string | null;
  /** Why the last call to the session failed; `null`: none did. */
  readonly failure: unknown;
}

/** A step before changes are saved. The one there is ends a session whose user Passport has signed out. */
export interface BeforeSave {
  /** Whether there is something to do. */
  readonly isDue: boolean;
  run(): Promise<void>;
}

/** Saves before a response at most. Data with a `toJSON` that differs each time would never be saved. */
const MAX_ROUNDS = 3;

const NOTHING_STORED: Pick<SessionContent, 'data' | 'flashes'> = { data: {}, flashes: [] };

/**
 * The session of one request: what is stored of it, the working copy, and the cookie that the response has to set. It decides
 * what is saved, whether the token is rotated and whether the use is recorded; nothing else changes any of this. Methods that
 * write run one after the other.
 */
export class RequestSessionState {
  readonly #sessions: SessionManager;
  readonly #resolved: ResolvedSession | null;
  #unserved: UnservedSession | null;
  #missing: readonly string[];
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
  /** Whether the use was recorded. */
  #isUseRecorded = false;
  /** When the session was used, where what is handled may go on for hours: a stream, a message. `null`: whenever it writes. */
  #usedAt: EpochMs | null = null;
  #isRead: boolean;
  /** `rotate()` was called. */
  #isRotationWanted = false;
  /** Why the last call to the session failed, if one did. */
  #failure: unknown = null;

  /** Whose session it was, when another request has ended it: this request cannot sign the same user in again. */
  #endedUserId: string | null = null;
  /** Whether another request has ended the session. Its response may have set a cookie that one of ours would replace. */
  #isStraggler = false;
  /** Whether this request has ended the session that its cookie led to. */
  #isCookieSpent = false;
  readonly #presentedId: string | null;

  /** Whether the head of the response has been composed, so that it can set no cookie any more. */
  #isComposed = false;
  readonly #isHeadSent: () => boolean;
  /** Whether the response has been sent, or its client has closed the connection. */
  #isClosed = false;
  /** Whether the response is an event stream, whose head has left. */
  #isStream = false;
  /** What has been logged of the stream: each kind of line once. */
  readonly #loggedOfStream = new Set<'changed' | 'unsaved'>();
  /** Lets what is open for the replaced session end; `null`: nothing waits. */
  #release: (() => void) | null = null;
  /** Whether the next access to data is followed by a save: the response is over, so that nothing else would save. */
  #savesNextAccess = false;

  /**
   * @param countsAsTouch `null`: not routed yet
   * @param isHeadSent whether the head of the response has been sent, also by somebody who went past the gate. @default
   *   never, where there is no response
   */
  constructor(
    sessions: SessionManager,
    facts: RequestFacts,
    { resolved, unserved, missing }: LoadedSession,
    countsAsTouch: boolean | null,
    isHeadSent: () => boolean = () => false,
  ) {
    this.#isHeadSent = isHeadSent;
    this.#sessions = sessions;
    this.#facts = facts;
    this.#resolved = resolved;
    this.#unserved = unserved;
    this.#missing = missing;
    this.#stored = resolved;
    this.#copy = new WorkingCopy(resolved?.content ?? NOTHING_STORED);
    this.#presentedId = resolved?.row.id ?? unserved?.row.id ?? null;
    this.#countsAsTouch = countsAsTouch;
    this.#isRead = resolved !== null && countsAsTouch !== null;
    if (facts.isCookieless) this.#usedAt = sessions.clock.now();
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

  /** Ids of sessions that the request had a token of, and that are gone: a sign-in or a sign-out deletes them once more. */
  get missingIds(): readonly string[] {
    return this.#missing;
  }

  /** Whose session it was, when another request has ended it meanwhile; otherwise `null`. */
  get endedUserId(): string | null {
    return this.#endedUserId;
  }

  /** What the response does with the cookie; `null`: the client keeps the one that it has. */
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

  /** Whether something has to be done before the response is sent. */
  get status(): SessionStatus {
    if (this.#promises?.arePending || this.#steps.isBusy) return 'busy';
    return this.#copy.isUnchanged && !this.#beforeSave?.isDue ? 'clean' : 'changed';
  }

  /**
   * Whether there is nothing to save. Unlike `status` it takes the JSON form of the data, since a Date there may have the form
   * that is stored.
   */
  get #hasNothingToSave(): boolean {
    const { status } = this;
    if (status !== 'changed') return status === 'clean';
    if (this.#beforeSave?.isDue) return false;
    try {
      return !hasChanges(this.#copy.snapshot().changes);
    } catch {
      return false; // the save will throw the reason
    }
  }

  // What happens to the request

  /** The request has reached a route. Each guard of the route calls this. @param countsAsTouch `false` with `@SkipTouch()` */
  route(countsAsTouch: boolean): void {
    this.#countsAsTouch = countsAsTouch || this.#countsAsTouch === true; // what middleware touched stays touched
    this.#isRead ||= this.#resolved !== null;
  }

  /** The platform has made another object of the request. */
  replaceFacts(facts: RequestFacts): void {
    this.#facts = facts;
  }

  /** Sets whether serving the request counts as use of the session, whatever was set before. */
  countAsTouch(countsAsTouch: boolean): void {
    this.#countsAsTouch = countsAsTouch;
  }

  /** The session was handed out. */
  noteRead(): void {
    this.#isRead = true;
  }

  /** The app accesses data or messages. After the end of the response, what it changes is saved behind the current turn. */
  noteAccess(): void {
    if (!this.#savesNextAccess || !this.#isCommitted) return;
    this.#savesNextAccess = false;
    setImmediate(() => this.close());
  }

  /** A method of the session has failed. An error that the app threw inside `update(fn)` is not noted: Nest logs it. */
  noteFailure(error: unknown): void {
    if (error instanceof SessionError || error instanceof HttpException) this.#failure = error;
  }

  /**
   * Refuses a request of another site's page that carries a session, and discards what middleware has changed in it. Without
   * a session it is served, and refused only when it would begin one: a route that stores nothing is open to every page.
   *
   * @throws CrossSiteRequestException
   */
  admit(): void {
    const refusal = this.presentId === null ? null : this.#facts.refusalOf('change');
    if (!refusal) return;
    this.discard();
    throw refusal;
  }

  /** The head of the response has been composed: no cookie can be added to it any more. */
  commit(): void {
    this.#isComposed = true;
  }

  /** Whether the response can set no cookie any more. Asked each time, since a library may send the head by itself. */
  get #isCommitted(): boolean {
    return this.#isComposed || this.#isHeadSent();
  }

  /** Whether the response has been sent, or its client has closed the connection. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What is open for the session, which this request is about to replace, ends when the response has left. */
  holdOpen(): void {
    const id = this.presentId;
    if (id === null || this.#isClosed || this.#facts.log === null) return;
    this.#release?.();
    this.#release = this.#sessions.live.hold(id);
  }

  /** The response has been sent, or its client has closed the connection. What the handler changes after that is saved too. */
  close(): void {
    this.#isClosed = true;
    this.#release?.();
    this.#release = null;
    this.#savesNextAccess = true;
    for (const error of this.#promises?.takeUnhandled() ?? []) this.#reportUnhandled(error);
    if (this.#isCommitted && this.status !== 'clean') void this.flushLate();
  }

  /** Another handler is called after `close`: what it changes is saved when it has ended. */
  reopen(): void {
    this.#isComposed = false;
    this.#isClosed = false;
    this.#savesNextAccess = false;
  }

  /**
   * The response is an event stream, whose head has left. What the app changes from now on is saved with each event.
   *
   * @returns the session that the stream ends with; `null`: there is none, or nothing has asked for it
   */
  stream(): SessionRow | null {
    this.#isStream = true;
    this.#usedAt = this.#sessions.clock.now();
    return this.#isRead ? (this.#stored?.row ?? null) : null;
  }

  /** An event of the stream is sent: saves what has changed since the last one. */
  flushEvent(): void {
    if (this.status === 'changed') void this.flushLate();
  }

  // What is done before the response is sent

  /** The step that is done before each save; `null`: none. */
  get beforeSave(): BeforeSave | null {
    return this.#beforeSave;
  }

  /** From now on `step` is done before each save for which it is due. */
  runBeforeSave(step: BeforeSave): void {
    this.#beforeSave = step;
  }

  /**
   * Waits for the promises that methods of the session have returned, then saves what has changed.
   *
   * @throws the first of their rejections that nobody handles, once the changes are saved; after an outage nothing is saved
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
   * Does what has to be done before the first byte of the response: saves what has changed, waits for promises that nobody
   * awaited and saves what they changed, and rotates the token if that is due. Then `leave`. Where nothing has to be done the
   * result is returned at once, otherwise promised.
   */
  settle(): LeavingSession | Promise<LeavingSession> {
    return this.#hasNothingToSave && !this.isRotationDue ? this.leave() : this.#settle();
  }

  async #settle(): Promise<LeavingSession> {
    await this.#flushing;
    for (let round = 0; round < MAX_ROUNDS && !this.#hasNothingToSave; round++) await this.#saveAll();
    await this.rotateIfDue();
    return this.leave();
  }

  #saveAll(): Promise<unknown> {
    return this.#beforeSave === null && this.#promises === null ? this.save() : this.#saveBehindPromises();
  }

  async #saveBehindPromises(): Promise<void> {
    const unhandled = this.#promises?.arePending ? await this.#promises.allSettled() : [];
    for (const error of unhandled.slice(1))
      this.#reportUnhandled(error, 'beside another one, which is answered');
    const isOutage = unhandled[0] instanceof SessionStoreError;
    if (!isOutage) {
      if (this.#beforeSave?.isDue) await this.#beforeSave.run();
      await this.save();
    }
    if (unhandled.length > 0) throw unhandled[0];
  }

  /** Saves what was changed after the first byte had been sent, and logs it: the client cannot know. Never rejects. */
  async flushLate(): Promise<void> {
    try {
      if (!(await this.save()) || this.#facts.isCookieless) return;
      if (this.#isStream) this.#logOfStream('changed');
      else
        this.#facts.log?.(
          'error',
          'the session was changed after the response had begun. It was saved, but the client was not told, and no cookie ' +
            'could be set: change sessions before answering',
        );
    } catch (error) {
      const id = this.#stored?.row.id;
      this.discard();
      if (error instanceof CrossSiteRequestException) return; // `refusalOf` has logged it
      if (this.#isStream && error instanceof SessionGoneError && id !== undefined) {
        this.#sessions.live.recheck([id]); // which ends the stream
      } else if (this.#isStream) this.#logOfStream('unsaved', error);
      else
        this.#facts.log?.(
          'error',
          `the session was changed after the response had begun, and could not be saved: ${String(error)}`,
        );
    }
  }

  /** A stream may change its session with each of thousands of events: each kind of line is logged once. */
  #logOfStream(what: 'changed' | 'unsaved', error?: unknown): void {
    if (this.#loggedOfStream.has(what)) return;
    this.#loggedOfStream.add(what);
    if (what === 'unsaved')
      this.#facts.log?.(
        'error',
        `the session was changed while its event stream goes on, and could not be saved: ${String(error)}. This is said once a stream`,
      );
    else
      this.#facts.log?.(
        'warn',
        'the session was changed while its event stream goes on. It was saved, but what was changed is the data as it was when ' +
          'the stream began: use `update(fn)`, which reads it afresh. This is said once a stream',
      );
  }

  /** Whether the response should carry a new token in place of the one that the request came with. */
  get isRotationDue(): boolean {
    const [resolved, stored] = [this.#resolved, this.#stored];
    if (this.#facts.isCookieless || !this.#isRead || resolved === null || this.#cookie !== null) return false;
    if (stored?.row.id !== resolved.row.id) return false;
    return this.#sessions.isRotationDue(resolved, this.#isRotationWanted) && !this.#facts.isCrossSiteChange;
  }

  /** Rotates the token if that is due. A failure is logged: the presented token stays valid, so the response is sent anyway. */
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
    if (this.#stored === null || !this.#isTouch || this.#isUseRecorded) return;
    const { row } = this.#stored;
    if (!this.#sessions.isTouchDue(row) || this.#facts.isCrossSiteChange) return;
    this.#isUseRecorded = true;
    this.#sessions.touch(row);
  }

  /** The head of the response is sent now: records the use of the session, and returns what the head needs to know. */
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
   * Runs a method of the session for the app. What it throws becomes an `HttpException`; when nobody handles the returned
   * promise, the response fails by it.
   */
  handOut<R>(method: () => Promise<R>): Promise<R> {
    if (this.#facts.log === null) return this.#attempt(method);
    this.#promises ??= new FloatingPromises(
      (error) => this.#reportUnhandled(error),
      () => !this.#isCommitted && !this.#isClosed,
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
   * Runs a step when those before it have ended.
   *
   * @throws SessionConflictError when they have not ended after `timeout`, as where a method that is awaited inside
   *   `update(fn)` waits for that very `update`
   */
  runInTurn<T>(step: () => Promise<T>): Promise<T> {
    const { timeout } = this.#sessions.config;
    return this.#steps.run(step, { maxWait: timeout, tooLate: () => keptBusy(timeout) });
  }

  /** Saves what has changed; whether there was anything. */
  save(): Promise<boolean> {
    return this.runInTurn(async () => {
      const snapshot = this.#copy.snapshot();
      if (!hasChanges(snapshot.changes)) return false;
      const stored = this.#stored;
      if (stored === null) return this.#begin(snapshot);
      this.refuseCrossSite('change');
      this.#facts.checkData(stored.content.data, snapshot.changes.set, stored.row.userId);
      const content = (now: SessionContent) => ifChanged(now, applyChanges(now, snapshot.changes));
      // `first` is null when the changes make what was read: whether storage still holds that, only a read can say.
      const first = content(stored.content);
      const known = first === null ? undefined : stored;
      const apply = (now: SessionContent) => (now === stored.content ? first : content(now));
      this.#adopt(await this.#sessions.write({ ...this.#target(stored), known, apply }), snapshot);
      return true;
    });
  }

  /** Atomic read-modify-write: `fn` changes a copy of the stored data, which is then stored. After a conflict it runs again. */
  update<R>(fn: (data: JsonObject) => R | Promise<R>): Promise<R> {
    return this.runInTurn(async () => {
      const runs: { snapshot: Snapshot; result: R }[] = [];
      const apply = async (content: SessionContent) => {
        const snapshot = this.#copy.snapshot();
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
    return this.#copy.snapshot();
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

  /** The app wants a new token. The response gets one if its session is still the one that the request came with. */
  wantRotation(): void {
    this.#isRotationWanted = true;
  }

  /**
   * The session has been ended, by this request or by another before it: from now on this is a new, empty, anonymous
   * one. The cookie is removed only by the request that ended it: after another's, the client may have a newer one.
   */
  ended({ by }: { by: 'this-request' | 'another' }): void {
    const hadCookie = this.#stored !== null && transportOf(this.#stored.content) === 'cookie';
    const id = this.presentId;
    if (by === 'another') {
      this.#endedUserId = this.#stored?.row.userId ?? this.#endedUserId;
      if (id !== null) this.#missing = [...this.#missing, id];
    } else if (id !== null) this.#noteEnded({ id });
    // Otherwise one that was missing, and was there again
    else this.#isCookieSpent ||= !this.#facts.isBearer && this.#missing.length > 0;
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

  /** @throws SessionConflictError when no cookie can go out, or none any more, so that the session would be out of reach */
  requireCookie(what: string): void {
    if (this.#facts.isCookieless) {
      throw new SessionConflictError(
        `Cannot ${what}: over a socket no response goes out that could carry a cookie. Nothing was changed: do it in a ` +
          'request over HTTP',
      );
    }
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
      use: this.#isTouch ? usedAt(this.#usedAt ?? this.#sessions.clock.now()) : unused,
    };
  }

  /**
   * Stores a new anonymous session, unless it would hold nothing, or none may begin. Resolves to whether it was stored.
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
   * Whether a new anonymous session may begin; `false`: what it would hold is dropped. Nothing may begin where the browser
   * did not send its Strict cookie. Flash messages are dropped, and data is refused, where another request has ended the
   * session, where the session is live and not served, and where the client has a bearer token.
   *
   * @throws CrossSiteRequestException when a page of another site made the browser send the request
   * @throws SessionGoneError for data in these cases: no cookie may be set
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
    if (snapshot) this.#copy.rebase(snapshot, stored.content);
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
