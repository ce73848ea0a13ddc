import {
  SessionConflictError,
  SessionGoneError,
  SessionLimitError,
  SessionStoreError,
} from '../../../src/core/session-errors.js';
import { isTouchDue } from '../../../src/core/session-expiry.js';
import { AuthenticationRequiredException } from '../../../src/http/errors/exceptions.js';
import { SessionHandle } from '../../../src/http/session/session-handle.js';
import { RequestSessionState } from '../../../src/http/session/request-session-state.js';
import type { Write } from './history.js';
import { BrokenConnection, type World } from './world.js';

/** What came back from a request. */
export interface Answer {
  /** The cookie to keep from now on; `null`: none. `undefined`: no word about it. */
  readonly cookie: string | null | undefined;
  /** Whom it was served as; `null`: nobody. */
  readonly userId: string | null;
  readonly failed: boolean;
}

export type Act = (session: SessionHandle) => Promise<unknown>;

/** One request from its cookie to its answer, in the order in which the HTTP layer does things. */
export async function exchange(
  world: World,
  replica: number,
  cookie: string | null,
  act: Act,
): Promise<Answer> {
  const { manager } = world.store(replica);
  const token = cookie === null ? null : manager.issuer.recognise(cookie);
  const isEnded = token !== null && world.rules.ended.has(token.sessionId);
  const wasRetired = token !== null && world.retired.has(token.hash);
  let work: RequestSessionState | undefined;
  let failed = await fails(world, token?.sessionId ?? null, async () => {
    const presented = token && (await manager.resolver.present(token));
    const unserved = presented?.standing === 'unserved' ? presented : null;
    const resolved = presented?.standing === 'unserved' ? null : presented;
    if (unserved) world.unserved.add(unserved.row.id);
    if (resolved && (isEnded || wasRetired))
      world.scheduler.fail(`an ended token of ${resolved.row.id} was served`);
    work = new RequestSessionState(manager, CONTEXT, resolved, unserved);
  });
  if (work === undefined) return { cookie: undefined, userId: null, failed };
  const userId = work.stored?.row.userId ?? null;
  const { resolved } = work;
  const current = work;
  failed = await fails(world, resolved?.row.id ?? null, () => act(new SessionHandle(current)));
  if (work.isDirty)
    failed = (await fails(world, work.stored?.row.id ?? null, () => current.save())) || failed;
  await leave(world, replica, work);
  const change = work.cookieChange;
  return {
    cookie: change === null ? undefined : change.kind === 'set' ? change.token.reveal() : null,
    userId,
    failed,
  };
}

const CONTEXT = {
  isUse: () => true,
  persistent: true,
  describeClient: () => ({}),
  canCarryCookie: () => true,
};

/** Rotation and touch, as the response leaves. */
async function leave(world: World, replica: number, work: RequestSessionState): Promise<void> {
  const { resolved, stored, manager } = work;
  const isSame = resolved !== null && stored?.row.id === resolved.row.id && work.cookieChange === null;
  if (isSame && manager.resolver.isTokenDue(resolved, work.isRotationWanted)) {
    await fails(world, resolved.row.id, async () => {
      const token = await manager.resolver.nextToken(resolved, work.isRotationWanted);
      if (token) work.cookieChange = { kind: 'set', token, row: stored.row };
    });
  }
  if (stored && isTouchDue(stored.row, world.clock.now(), manager.config.touchInterval))
    manager.touches.record(stored.row);
  world.writeTouchesLater(replica);
}

/** Whether a call fails, which it may only for a reason. */
export async function fails(world: World, id: string | null, call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return false;
  } catch (error) {
    if (!hasReason(world, id, error)) world.scheduler.fail(`unexpected: ${(error as Error).stack}`);
    return true;
  }
}

function hasReason(world: World, id: string | null, error: unknown): boolean {
  if (error instanceof SessionGoneError)
    return id === null || world.rules.ended.has(id) || !world.storage.stored.has(id);
  if (error instanceof SessionStoreError)
    return causesOf(error).some((cause) => cause instanceof BrokenConnection);
  return (
    error instanceof SessionConflictError ||
    error instanceof SessionLimitError ||
    error instanceof AuthenticationRequiredException
  );
}

function causesOf(error: unknown): unknown[] {
  return error instanceof Error ? [error, ...causesOf(error.cause)] : [];
}

/** Makes a change of data, and writes down when it began and when it was acknowledged. */
export async function recorded(
  world: World,
  id: string | null,
  change: Pick<Write, 'kind' | 'key' | 'value' | 'data'>,
  call: () => Promise<unknown>,
): Promise<void> {
  const write: Write = { ...change, began: world.scheduler.step, ended: Infinity, isRefused: false };
  if (id !== null) world.historyOf(id).push(write);
  try {
    const result = await call();
    if (result === false) write.isRefused = true;
    else write.ended = world.scheduler.step;
  } catch (error) {
    write.isRefused = error instanceof SessionGoneError || error instanceof SessionConflictError;
    throw error;
  }
}
