import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { describeKind } from '../../core/describe-value.js';
import type { UserId } from '../../core/identifiers.js';
import { faultOf, type JsonObject } from '../../core/json-data.js';
import type { FlashMessage } from '../../core/session-content.js';
import { SessionDataError } from '../../core/session-errors.js';
import { SessionRecord } from '../../core/session-record.js';
import type { SessionToken } from '../../core/session-token.js';
import type { WorkingCopy } from '../../core/working-copy.js';
import { endAll, endById, endCurrent, endOthers, listSessions } from './end-session.js';
import { toHttpException } from '../errors/to-http-exception.js';
import { requestRotation, reauthenticate, signIn } from './sign-in.js';
import type { RequestSessionState } from './request-session-state.js';
import type { AuthenticateOptions, RequestSession, SessionInfo } from '../session.interface.js';

/** The session of one request, as handlers get it. See `RequestSession` for what each member promises. */
export class SessionHandle<T extends object = JsonObject> implements RequestSession<T> {
  readonly #state: RequestSessionState;

  constructor(state: RequestSessionState) {
    this.#state = state;
  }

  get id(): string | null {
    return this.#state.stored?.row.id ?? null;
  }

  get userId(): string | null {
    return this.#state.stored?.row.userId ?? null;
  }

  get isAuthenticated(): boolean {
    return this.userId !== null;
  }

  get isNew(): boolean {
    return this.#state.stored === null;
  }

  get createdAt(): Date | null {
    return this.#record?.createdAt ?? null;
  }

  get authenticatedAt(): Date | null {
    return this.#record?.authenticatedAt ?? null;
  }

  get lastActiveAt(): Date | null {
    return this.#record?.lastActiveAt ?? null;
  }

  get expiresAt(): Date | null {
    return this.#record?.expiresAt ?? null;
  }

  get meta(): JsonObject {
    return this.#record?.meta ?? {};
  }

  get data(): T {
    return this.#copy.data as T;
  }

  set data(data: T) {
    try {
      this.#copy.replace(data);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  get<K extends keyof T>(key: K): T[K] | undefined {
    return this.has(key) ? this.data[key] : undefined;
  }

  set<K extends keyof T>(key: K, value: T[K]): void {
    // A key may come from a body: `['__proto__']` is one too.
    if (typeof key !== 'symbol' && String(key) === '__proto__') throw this.#failed(prototypeKey());
    this.data[key] = value;
  }

  has(key: keyof T): boolean {
    return Object.hasOwn(this.data, key);
  }

  remove(key: keyof T): boolean {
    return this.has(key) && delete this.data[key];
  }

  take<K extends keyof T>(key: K): T[K] | undefined {
    const value = this.get(key);
    this.remove(key);
    return value;
  }

  clear(): void {
    this.#copy.replace({});
  }

  update<R>(fn: (data: T) => R | Promise<R>): Promise<R> {
    return this.#state.handOut(() => this.#state.update((data) => fn(data as T)));
  }

  takeOnce<K extends keyof T>(key: K): Promise<T[K] | undefined> {
    return this.update((data) => {
      if (!Object.hasOwn(data, key)) return undefined;
      const value = data[key];
      delete data[key];
      return value;
    });
  }

  flash(kind: string, text: string): void {
    if (typeof kind !== 'string') throw this.#failed(badFlash('kind', kind));
    if (typeof text !== 'string') throw this.#failed(badFlash('text', text));
    this.#copy.addFlash({ id: randomUUID(), kind, text });
  }

  flashes(): FlashMessage[] {
    return this.#copy.readFlashes();
  }

  save(): Promise<void> {
    return this.#state.handOut(async () => void (await this.#state.save()));
  }

  authenticate(
    userId: UserId,
    options: AuthenticateOptions<T> & { readonly transport: 'bearer' },
  ): Promise<SessionToken>;
  authenticate(userId: UserId, options?: AuthenticateOptions<T>): Promise<void>;
  authenticate(userId: UserId, options: AuthenticateOptions<T> = {}): Promise<SessionToken | void> {
    return this.#state.handOut(() => signIn(this.#state, userId, options));
  }

  reauthenticate(): Promise<void> {
    return this.#state.handOut(() => reauthenticate(this.#state));
  }

  rotate(): Promise<void> {
    return this.#state.handOut(() => requestRotation(this.#state));
  }

  logout(): Promise<void> {
    return this.#state.handOut(async () => void (await endCurrent(this.#state, 'logout')));
  }

  logoutOthers(): Promise<number> {
    return this.#state.handOut(() => endOthers(this.#state));
  }

  logoutAll(): Promise<number> {
    return this.#state.handOut(() => endAll(this.#state));
  }

  list(): Promise<SessionInfo[]> {
    return this.#state.handOut(() => listSessions(this.#state));
  }

  revoke(id: string): Promise<boolean> {
    return this.#state.handOut(() => endById(this.#state, id));
  }

  toJSON(): object {
    const { id, userId, isNew, createdAt, authenticatedAt, lastActiveAt, expiresAt, meta } = this;
    return { id, userId, isNew, createdAt, authenticatedAt, lastActiveAt, expiresAt, meta };
  }

  [inspect.custom](): string {
    return `Session ${inspect(this.toJSON())}`;
  }

  get #record(): SessionRecord | null {
    const { stored } = this.#state;
    return stored && new SessionRecord(stored.row, stored.content);
  }

  get #copy(): WorkingCopy {
    this.#state.noteAccess();
    return this.#state.copy;
  }

  #failed(error: unknown): unknown {
    this.#state.noteFailure(error);
    return toHttpException(error);
  }
}

function badFlash(path: string, value: unknown): SessionDataError {
  return new SessionDataError(
    `Expected a flash message of two strings, kind and text, but \`${path}\` is ${describeKind(value)}`,
    { path, fault: faultOf(value) },
  );
}

/** The error for the key `__proto__`, which would change a prototype. Keys may come from clients, so it is a 400. */
export function prototypeKey(): SessionDataError {
  return new SessionDataError('`__proto__` cannot be a key of session data. Nothing was changed', {
    path: 'data.__proto__',
    fault: 'input',
  });
}
