import { isDeepStrictEqual } from 'node:util';
import type { JsonObject } from '../../../src/core/json-data.js';
import {
  SessionConflictError,
  SessionDataError,
  SessionGoneError,
} from '../../../src/core/session-errors.js';
import { chooseVictims } from '../../../src/core/session-limit.js';
import { HOUR, MINUTE } from './open-store.js';

export const MODEL_OPTIONS = { ttl: '1h', absoluteTtl: '3h', anonymousTtl: '30m', maxPerUser: 3 } as const;

/** A session as the model has it. Instants are milliseconds. */
export interface ModelSession {
  id: string;
  userId: string | null;
  data: JsonObject;
  meta: JsonObject;
  createdAt: number;
  authenticatedAt: number | null;
  lastActiveAt: number;
  expiresAt: number;
  absoluteExpiresAt: number;
  token: ModelToken;
}

interface ModelToken {
  current: string | null;
  superseded: string | null;
  isUsed: boolean;
  /** Until when each token that was replaced may come back. */
  mayReturn: Map<string, number>;
}

export type State = Pick<ModelSession, 'userId' | 'data'>;

/** What the store does, said as simply as possible: a Map and a clock. */
export class StoreModel {
  readonly sessions = new Map<string, ModelSession>();

  constructor(public now: number) {}

  isActive(session: ModelSession): boolean {
    return this.now < session.expiresAt && this.now < session.absoluteExpiresAt;
  }

  active(id: string): ModelSession | null {
    const session = this.sessions.get(id);
    return session !== undefined && this.isActive(session) ? session : null;
  }

  create(id: string, token: string, meta: JsonObject, { userId, data }: State): ModelSession {
    const idleTtl = userId === null ? 30 * MINUTE : HOUR;
    const rivals = [...this.sessions.values()].filter(
      (one) => userId !== null && one.userId === userId && one.token.current !== null && this.isActive(one),
    );
    for (const victim of chooseVictims(rivals, MODEL_OPTIONS.maxPerUser)) this.sessions.delete(victim.id);
    return this.#store({
      id,
      userId,
      data,
      meta,
      createdAt: this.now,
      lastActiveAt: this.now,
      authenticatedAt: userId === null ? null : this.now,
      expiresAt: this.now + idleTtl,
      absoluteExpiresAt: this.now + 3 * HOUR,
      token: { ...this.#noToken(), current: token },
    });
  }

  readByToken(sessionId: string, token: string): ModelSession | null {
    const session = this.active(sessionId);
    if (session === null || session.token.current === null) return null;
    const { current, superseded, mayReturn, isUsed } = session.token;
    if (token === current) session.token.isUsed = true;
    else if (this.now < (mayReturn.get(token) ?? 0)) return token === superseded ? session : null;
    else if (token !== superseded || isUsed) this.sessions.delete(sessionId);
    return token === current ? session : null;
  }

  rotateToken(id: string, token: string, grace: number): void {
    const session = this.active(id);
    if (session === null) throw new SessionGoneError('model');
    if (session.token.current === null) throw new SessionDataError('model');
    const { current: superseded, mayReturn } = session.token;
    mayReturn.set(superseded, this.now + grace);
    session.token = { current: token, superseded, mayReturn, isUsed: false };
  }

  flush(id: string, data: JsonObject, now: number, expiresAt: number, base?: JsonObject): boolean {
    const session = this.active(id);
    if (session === null) return false;
    if (base === undefined) session.data = { ...data };
    else {
      for (const key of Object.keys(base)) if (!(key in data)) delete session.data[key];
      for (const [key, value] of Object.entries(data)) {
        if (!isDeepStrictEqual(base[key], value)) session.data[key] = value;
      }
    }
    extend(session, now, expiresAt);
    return true;
  }

  touch(id: string, now: number, expiresAt: number): boolean {
    const session = this.active(id);
    if (session === null || now >= session.expiresAt) return false;
    extend(session, now, expiresAt);
    return true;
  }

  /** The value of a key; of a session with a token only when `sessions` are meant too. */
  get(id: string, sessions: boolean): ModelSession | null {
    const found = this.active(id);
    if (found !== null) refuseToken(found, sessions);
    return found;
  }

  put(id: string, { userId, data }: State, ttl: number, sessions: boolean): ModelSession {
    const old = this.get(id, sessions);
    const kept = old?.userId === userId ? old : null;
    return this.#succeed(old, kept, id, { userId, data }, ttl, kept?.token ?? this.#noToken());
  }

  cycle(oldId: string, newId: string, { userId, data }: State, ttl: number, sessions: boolean): ModelSession {
    if (oldId === newId) throw new SessionConflictError('model');
    const old = this.active(oldId);
    if (old === null) throw new SessionGoneError('model');
    refuseToken(old, sessions);
    if (this.sessions.has(newId)) throw new SessionConflictError('model');
    const kept = old.userId === userId ? old : null;
    this.sessions.delete(oldId);
    return this.#succeed(old, kept, newId, { userId, data }, ttl, this.#noToken());
  }

  /** Deletes what is selected; how many were active. */
  end(isSelected: (session: ModelSession) => boolean): number {
    const selected = [...this.sessions.values()].filter(isSelected);
    for (const session of selected) this.sessions.delete(session.id);
    return selected.filter((session) => this.isActive(session)).length;
  }

  cleanup(): number {
    const expired = [...this.sessions.values()].filter((session) => !this.isActive(session));
    for (const session of expired) this.sessions.delete(session.id);
    return expired.length;
  }

  list(userId: string, orderBy: 'lastActiveAt' | 'createdAt', limit = Infinity): ModelSession[] {
    return [...this.sessions.values()]
      .filter((session) => session.userId === userId && this.isActive(session))
      .toSorted((a, b) => b[orderBy] - a[orderBy] || compare(b.id, a.id))
      .slice(0, limit);
  }

  #succeed(
    old: ModelSession | null,
    kept: ModelSession | null,
    id: string,
    { userId, data }: State,
    ttl: number,
    token: ModelSession['token'],
  ): ModelSession {
    const absoluteExpiresAt = old?.absoluteExpiresAt ?? this.now + 3 * HOUR;
    return this.#store({
      id,
      userId,
      data,
      token,
      absoluteExpiresAt,
      lastActiveAt: this.now,
      meta: kept?.meta ?? {},
      createdAt: old?.createdAt ?? this.now,
      authenticatedAt: kept === null ? (userId === null ? null : this.now) : kept.authenticatedAt,
      expiresAt: Math.min(this.now + ttl, absoluteExpiresAt),
    });
  }

  #store(session: ModelSession): ModelSession {
    this.sessions.set(session.id, { ...session, data: { ...session.data } });
    return session;
  }

  /** Whether the store may take the return of a token for late, since it was replaced among several in a short time. */
  isReturnInDoubt(sessionId: string, token: string): boolean {
    const { mayReturn } = this.sessions.get(sessionId)?.token ?? this.#noToken();
    const until = mayReturn.get(token) ?? Infinity;
    return mayReturn.size > 2 && this.now >= until && this.now < until + MINUTE;
  }

  #noToken(): ModelToken {
    return { current: null, superseded: null, isUsed: true, mayReturn: new Map() };
  }
}

function extend(session: ModelSession, now: number, expiresAt: number): void {
  session.lastActiveAt = Math.max(session.lastActiveAt, now);
  session.expiresAt = Math.max(session.expiresAt, Math.min(expiresAt, session.absoluteExpiresAt));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function refuseToken(session: ModelSession, sessions: boolean): void {
  if (session.token.current !== null && !sessions) throw new SessionConflictError('model');
}
