import {
  cloneJson,
  isSameJson,
  type JsonObject,
  type JsonValue,
  toJsonObject,
} from '../../core/json-data.js';
import { applyChanges, hasChanges } from '../../core/merge-changes.js';
import { type SessionContent, type StoredSession, transportOf } from '../../core/session-content.js';
import type { CreatedSession } from '../../core/session-creation.js';
import type { SessionManager } from '../../core/session-manager.js';
import { gone, SessionConflictError } from '../../core/session-errors.js';
import type { ResolvedSession, UnservedSession } from '../../core/session-resolver.js';
import type { SessionRow } from '../../core/session-row.js';
import type { SessionToken } from '../../core/session-token.js';
import { type ContentWrite, unused, usedAt } from '../../core/session-writer.js';
import { type Snapshot, WorkingCopy } from '../../core/working-copy.js';
import type { RequestContext } from './request-context.js';
import { SessionSteps } from './session-steps.js';
import { clearTimeout, setTimeout } from '../../core/timers.js';

/** What the response has to tell the client about its cookie. */
export type CookieChange =
  | { readonly kind: 'set'; readonly token: SessionToken; readonly row: SessionRow }
  | { readonly kind: 'remove' };

export const NOTHING_STORED: Pick<SessionContent, 'data' | 'flashes'> = { data: {}, flashes: [] };

/**
 * The session behind one request: what is stored, the working copy, and the cookie that the response owes. Steps that
 * write run one after the other.
 */
export class RequestSessionState {
  /** What storage holds, as far as this request knows; `null` while nothing is stored. */
  stored: StoredSession | null;
  copy: WorkingCopy;
  cookieChange: CookieChange | null = null;
  /** Whose session this was when another request ended it. Their sign-in has to come with a request of its own. */
  endedUserId: string | null = null;
  /** `rotate()` was called. */
  isRotationWanted = false;
  /** What has been handed out as promises; `null` before the first. */
  steps: SessionSteps | null = null;
  #lastStep: Promise<unknown> = Promise.resolve();
  #stepsUnderWay = 0;
  /** Its session had been ended by another request, whose cookie a new session would replace. */
  #isStraggler = false;
  /** This request has ended the session that its cookie led to. */
  #isCookieSpent = false;
  readonly #presentedId: string | null;

  /**
   * @param unserved the live session that the request's token leads to where it is not good enough to be served: a
   *   sign-in or a sign-out ends it, and nothing else begins another one beside it
   */
  constructor(
    readonly manager: SessionManager,
    readonly context: RequestContext,
    readonly resolved: ResolvedSession | null,
    private unserved: UnservedSession | null = null,
  ) {
    this.stored = resolved;
    this.#presentedId = resolved?.row.id ?? unserved?.row.id ?? null;
    this.copy = new WorkingCopy(resolved?.content ?? NOTHING_STORED);
  }

  /** How long the cookie lives; of a session that is not stored, how long it would. */
  get cookieLife(): Pick<SessionRow, 'persistent' | 'createdAt' | 'absoluteExpiresAt'> {
    if (this.stored) return this.stored.row;
    const now = this.manager.clock.now();
    const { absoluteTtl } = this.manager.config;
    return { persistent: this.context.persistent, createdAt: now, absoluteExpiresAt: now + absoluteTtl };
  }

  /** Whether there is something to save, or to find out that it cannot be: `save` says why. */
  get isDirty(): boolean {
    try {
      return !this.copy.isUnchanged && hasChanges(this.copy.take().changes);
    } catch {
      return true;
    }
  }

  /** Id of the session that a sign-in or a sign-out of this request ends. */
  get presentId(): string | null {
    return this.stored?.row.id ?? this.unserved?.row.id ?? null;
  }

  /** Saves what has changed; whether there was anything. */
  save(): Promise<boolean> {
    return this.inTurn(async () => {
      const snapshot = this.copy.take();
      if (!hasChanges(snapshot.changes)) return false;
      const { stored } = this;
      if (stored) {
        this.refuseForeign('change');
        this.context.checkData?.(stored.content.data, snapshot.changes.set, stored.row.userId);
        const content = (now: SessionContent) => changed(now, applyChanges(now, snapshot.changes));
        // Replaced by what it was when it was read: whether that is still there, only storage knows.
        const first = content(stored.content);
        const known = first === null ? undefined : stored;
        const apply = (now: SessionContent) => (now === stored.content ? first : content(now));
        const written = await this.manager.writer.write({ ...this.#target(stored), known, apply });
        this.#adopt(written, snapshot);
        return true;
      }
      return this.#begin(snapshot);
    });
  }

  /** Atomic read-modify-write; what `fn` made becomes the data. */
  update<R>(fn: (data: JsonObject) => R | Promise<R>): Promise<R> {
    return this.inTurn(async () => {
      const runs: { snapshot: Snapshot; result: R }[] = [];
      const apply = async (content: SessionContent) => {
        const snapshot = this.copy.take();
        const fresh = applyChanges(content, snapshot.changes);
        const data = cloneJson(fresh.data);
        runs.unshift({ snapshot, result: await fn(data) });
        const next = toJsonObject(data);
        this.context.checkData?.(content.data, next, this.stored?.row.userId ?? null);
        return changed(content, { ...fresh, data: next });
      };
      if (this.stored) {
        this.refuseForeign('change');
        const written = await this.manager.writer.write({ ...this.#target(this.stored), apply });
        this.#adopt(written, runs[0]?.snapshot);
      } else {
        const content = await apply({ ...NOTHING_STORED, meta: {} });
        if (content && runs[0]) await this.#begin({ ...runs[0].snapshot, changes: asChanges(content) });
      }
      return (runs[0] as { result: R }).result;
    });
  }

  /** The stored session is another one from now on, or none. `snapshot` is what has been stored of the copy. */
  begin(created: CreatedSession, snapshot: Snapshot): void {
    this.#adopt(created, snapshot);
    const { token, row, inserted } = created;
    this.#noteEnded(inserted.replaced);
    this.unserved = null;
    if (token.transport === 'cookie') this.cookieChange = { kind: 'set', token, row };
    else this.cookieChange = this.#isCookieSpent ? { kind: 'remove' } : null;
    this.isRotationWanted = false;
  }

  /** The same session has a new token. */
  renewed(token: SessionToken, stored: StoredSession): void {
    this.stored = stored;
    if (token.transport === 'cookie') this.cookieChange = { kind: 'set', token, row: stored.row };
    this.isRotationWanted = false;
  }

  /**
   * The session has been ended, by this request or by another before it: from now on this is a new, empty, anonymous
   * one. Only the request that ended it may touch the cookie: the client may have a newer one by now.
   */
  ended({ by }: { by: 'this-request' | 'another' }): void {
    const hadCookie = this.stored !== null && transportOf(this.stored.content) === 'cookie';
    if (by === 'this-request') this.#noteEnded((this.stored ?? this.unserved)?.row);
    else this.endedUserId = this.stored?.row.userId ?? this.endedUserId;
    this.stored = null;
    this.unserved = null;
    this.discard();
    this.isRotationWanted = false;
    const isRemoved = by === 'this-request' && (hadCookie || this.#isCookieSpent);
    this.cookieChange = isRemoved ? { kind: 'remove' } : null;
    this.#isStraggler = by === 'another';
  }

  #noteEnded(row: Pick<SessionRow, 'id'> | null | undefined): void {
    this.#isCookieSpent ||= !this.context.isBearer && row != null && row.id === this.#presentedId;
  }

  /** Forgets what has not been saved. */
  discard(): void {
    this.copy = new WorkingCopy(this.stored?.content ?? NOTHING_STORED);
  }

  /** Starts a step for the app: its failure leaves as an exception, and is the response's when nobody takes it. */
  handOut<R>(step: () => Promise<R>): Promise<R> {
    return (this.steps ??= new SessionSteps(this.context)).start(step);
  }

  /** Whether a step is under way. */
  get isBusy(): boolean {
    return this.#stepsUnderWay > 0;
  }

  /**
   * Runs after the steps before it have ended.
   *
   * @throws SessionConflictError when they have not after `timeout`: a step inside `update(fn)` waits for itself
   */
  inTurn<T>(step: () => Promise<T>): Promise<T> {
    const before = this.#lastStep;
    const { isBusy } = this;
    const myTurn = isBusy ? this.#waitFor(before) : before;
    this.#stepsUnderWay++;
    const done = myTurn.then(step).finally(() => this.#stepsUnderWay--);
    this.#lastStep = isBusy ? Promise.allSettled([before, done]) : done.catch(() => undefined);
    return done;
  }

  #waitFor(before: Promise<unknown>): Promise<void> {
    const { timeout } = this.manager.config;
    return new Promise((resolve, reject) => {
      const tooLate = (): void =>
        reject(
          new SessionConflictError(
            `Another step of the same request kept its session for ${timeout} ms (the \`timeout\` option). Nothing was ` +
              'changed: await no method of the session inside `update(fn)`, change its `data` argument instead',
          ),
        );
      const timer = setTimeout(tooLate, timeout);
      void before.then(() => resolve()).finally(() => clearTimeout(timer));
    });
  }

  /** @throws SessionConflictError when no cookie can go out any more, so that the session would be out of reach */
  requireCookie(what: string): void {
    if (this.context.canCarryCookie()) return;
    throw new SessionConflictError(
      `Cannot ${what}: the response has already left, so its cookie would never arrive. Nothing was changed: ` +
        'do it before the response is sent',
    );
  }

  /** @throws CrossSiteRequestException when a page of another site made the browser send the request */
  refuseForeign(step: 'change' | 'sign-in'): void {
    const refusal = this.context.refusalOf?.(step);
    if (refusal) throw refusal;
  }

  #target({ row }: StoredSession): Omit<ContentWrite, 'apply'> {
    return {
      id: row.id,
      userId: row.userId,
      use: this.context.isUse() ? usedAt(this.manager.clock.now()) : unused,
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
    this.context.checkData?.({}, changes.set, null);
    this.requireCookie('start a session');
    const { persistent, ip } = this.context;
    const session = {
      userId: null,
      meta: this.context.describeClient({}),
      previousId: null,
      changes,
      data: {},
      persistent,
    };
    this.begin(await this.manager.create(session, ip), snapshot);
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
    this.refuseForeign('change');
    if (this.context.isCookieWithheld) return false;
    const isOutOfReach = this.#isStraggler || this.unserved !== null || this.context.isBearer === true;
    if (isOutOfReach && hasData) throw gone();
    return !isOutOfReach;
  }

  #adopt(stored: StoredSession, snapshot: Snapshot | undefined): void {
    this.stored = stored;
    if (snapshot) this.copy.settle(snapshot, stored.content);
  }
}

function asChanges(content: SessionContent): Snapshot['changes'] {
  return { replace: true, set: content.data, remove: [], flashesAdded: content.flashes, flashesRead: [] };
}

/** `next`, or `null` when it is what is there already. */
function changed(content: SessionContent, next: SessionContent): SessionContent | null {
  const isSame =
    isSameJson(next.data, content.data) && isSameJson(next.flashes, content.flashes as unknown as JsonValue);
  return isSame ? null : next;
}
