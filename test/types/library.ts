/** The rest of the public API as users write against it. Compiled by `types.spec.ts`, never run. */
import { Catch, type ExceptionFilter } from '@nestjs/common';
import {
  type ActiveSession,
  type ActiveSessionPage,
  type ExpressSession,
  type ExpressSessionCookie,
  type InsertRequest,
  type InsertResult,
  type KeyValueStore,
  type ListRequest,
  type LiveRow,
  type PayloadChange,
  type PruneResult,
  type PruneStep,
  type RevokeReason,
  type RowSelection,
  SessionBackend,
  SessionError,
  type SessionEvents,
  type SessionHealthIndicator,
  SessionLimitError,
  type SessionRecord,
  type SessionRow,
  type SessionState,
  type SessionStateInput,
  SessionStore,
  type SessionToken,
  type TokenChange,
  type Touch,
  type WalkResult,
  type WalkStep,
} from 'nest-sessions';
import { type SessionMigration, sessionMigrations } from 'nest-sessions/migrations';
import { createTestSession, MemorySessionBackend, signIn } from 'nest-sessions/testing';
import { DataSource } from 'typeorm';
import { expectType } from './expect-type.js';

/** A storage of the app's own, from exported types alone. */
export class OwnBackend extends SessionBackend {
  init(): Promise<void> {
    return Promise.resolve();
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
  find(ids: readonly string[]): Promise<ReadonlyArray<SessionRow | null>> {
    return Promise.resolve(ids.map(() => null));
  }
  alive(ids: readonly string[], now: number): Promise<ReadonlyArray<LiveRow | null>> {
    return Promise.resolve(ids.map((id) => ({ id, userId: null, expiresAt: now, absoluteExpiresAt: now })));
  }
  insert(request: InsertRequest): Promise<InsertResult> {
    return Promise.resolve(request.limit === null ? { status: 'refused' } : { status: 'limit' });
  }
  save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    return Promise.resolve(changes.map(() => false));
  }
  touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    return Promise.resolve(touches.map(() => false));
  }
  changeToken(change: TokenChange): Promise<boolean> {
    return Promise.resolve(change.expected.tokenUsed);
  }
  delete(_selection: RowSelection): Promise<readonly []> {
    return Promise.resolve([]);
  }
  list(_request: ListRequest): Promise<readonly SessionRow[]> {
    return Promise.resolve([]);
  }
  walk(_step: WalkStep): Promise<WalkResult> {
    return Promise.resolve({ rows: [], next: null });
  }
  prune(_step: PruneStep): Promise<PruneResult> {
    return Promise.resolve({ deleted: 0, next: null });
  }
  keysInUse(): Promise<ReadonlySet<string>> {
    return Promise.resolve(new Set());
  }
}

/** Without Nest. */
export async function withoutNest(): Promise<void> {
  const store = new SessionStore(new MemorySessionBackend(), { key: 'k', ttl: '1h' });
  const { session, token } = await store.create({ ip: '::1' }, 'ada', { theme: 'dark' });
  expectType<SessionRecord>()(session);
  expectType<SessionToken>()(token);
  expectType<string>()(token.reveal());
  expectType<Date>()(session.createdAt);
  expectType<SessionRecord | null>()(await store.readByToken(token));
  await store.readByToken('a string');
  const keyed: KeyValueStore<string, SessionStateInput, SessionRecord> = store;
  await keyed.put('key', { userId: null, data: {} }, '1h');
  await store.put('again', session, '1h');
  const state: SessionState = session;
  expectType<string | null>()(state.userId);
  const page = await store.listActive({
    activeSince: new Date(0),
    authenticated: true,
    limit: 10,
    after: null,
  });
  expectType<ActiveSessionPage>()(page);
  for (const one of page.sessions) expectType<ActiveSession>()(one);
  expectType<string | null>()(page.next);
  // @ts-expect-error never data
  void page.sessions[0]?.data;
  // @ts-expect-error no such option
  await store.listActive({ userId: 'ada' });
  store.startCleanup('1h').stop();
  // @ts-expect-error the options are frozen
  store.config.ttl = 5;
  // @ts-expect-error no such option
  void new SessionStore(new MemorySessionBackend(), { key: 'k', tableName: 'sessions' });
}

export function listen(events: SessionEvents): void {
  const off = events.on('revoked', ({ sessionId, userId, reason }) => {
    expectType<string>()(sessionId);
    expectType<string | null>()(userId);
    expectType<RevokeReason>()(reason);
  });
  expectType<() => void>()(off);
  events.on('cleanup', ({ count }) => expectType<number>()(count));
  // @ts-expect-error no such event
  events.on('login', () => undefined);
}

@Catch(SessionLimitError)
export class LimitFilter implements ExceptionFilter<SessionLimitError> {
  catch(error: SessionLimitError): string {
    expectType<'session_limit_reached'>()(error.code);
    return error instanceof SessionError ? error.message : '';
  }
}

/** What `req.session` is to middleware of express-session. */
export async function inMiddleware(session: ExpressSession): Promise<void> {
  expectType<string | null>()(session.id);
  expectType<ExpressSessionCookie>()(session.cookie);
  expectType<number | null>()(session.cookie.maxAge);
  expectType<Promise<void>>()(session.regenerate());
  session.save((error) => expectType<unknown>()(error)).touch();
  await session.destroy();
  // @ts-expect-error the server decides how long a session lasts
  session.cookie.maxAge = 1000;
  // @ts-expect-error a method of our own session
  void session.authenticate('ada');
}

export async function report(health: SessionHealthIndicator): Promise<void> {
  const result = await health.isHealthy('store', { timeout: '2s' });
  if (result.store.status === 'up') expectType<number | null>()(result.store.latencyMs);
  const { sessions } = await health.isHealthy();
  expectType<'up' | 'down'>()(sessions.status);
  // @ts-expect-error under the name that was asked for
  void result.sessions;
}

export async function inTests(app: Parameters<typeof signIn>[0]): Promise<void> {
  const { cookie, session } = await signIn(app, 7, { data: { theme: 'dark' } });
  expectType<string>()(cookie);
  expectType<string>()(session.id);
  const wizard = await createTestSession<{ step: number }>({ userId: 'ada', data: { step: 1 } });
  expectType<number>()(wizard.data.step);
  // @ts-expect-error of the wrong type
  await createTestSession<{ step: number }>({ data: { step: 'one' } });
}

/** Migrations of sessions beside the app's own. */
expectType<SessionMigration[]>()(sessionMigrations());
export const migrated = new DataSource({
  type: 'mysql',
  migrations: ['dist/migrations/*.js', ...sessionMigrations({ tableName: 'web_sessions' })],
});
