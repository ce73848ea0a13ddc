import { DatabaseFailure } from '../../../../src/backends/typeorm/pool/database-failure.js';
import type { SessionStore } from '../../../../src/core/session-store.js';
import { NO_FLASHES } from '../../../../src/core/merge-changes.js';
import { SessionConflictError, SessionGoneError } from '../../../../src/core/session-errors.js';
import { SystemClock } from '../../../../src/core/clock.js';
import { SessionPruning } from '../../../../src/core/session-pruning.js';
import { usedAt } from '../../../../src/core/session-writer.js';

/** How many calls a storm made, by name, and the failures among them. */
export interface Failures {
  readonly calls: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
  /** Deadlocks that the database had to break, also where another try went well. */
  readonly deadlocks: number;
}

const DEADLOCKS = ['40P01', 'ER_LOCK_DEADLOCK'];

/** Counts what the driver reports from now on, since a deadlock that is tried again is told to nobody. */
function countDeadlocks(): () => number {
  let count = 0;
  const of = DatabaseFailure.of.bind(DatabaseFailure);
  DatabaseFailure.of = (error) => {
    const failure = of(error);
    if (DEADLOCKS.includes(failure.code)) count++;
    return failure;
  };
  return () => count;
}

/** Callers at once, in each process. */
const CALLERS = 12;

/**
 * Sign-ins, touches, saves, rotations, revokes and a clean-up that never rests, all at once and on few users, so that
 * they meet. A session that has ended meanwhile, and a rotation that another one won, are no failures.
 */
export async function storm(store: SessionStore, seconds: number, users: number): Promise<Failures> {
  const deadlocks = countDeadlocks();
  const until = performance.now() + seconds * 1000;
  const calls: Record<string, number> = {};
  const failures: string[] = [];
  const perform = async (name: string, call: () => Promise<unknown>): Promise<void> => {
    calls[name] = (calls[name] ?? 0) + 1;
    try {
      await call();
    } catch (error) {
      if (error instanceof SessionGoneError || (name === 'rotate' && error instanceof SessionConflictError))
        return;
      failures.push(`${name}: ${String(error)}`);
    }
  };
  const known: string[] = [];
  const any = (): string => known[Math.floor(Math.random() * known.length)] ?? 'nobody';
  const user = (): string => `user-${Math.floor(Math.random() * users)}`;
  const acts: Record<string, () => Promise<unknown>> = {
    signIn: async () => {
      known.push((await store.create({}, user())).session.id);
      if (known.length > 200) known.shift();
    },
    signInAgain: async () => {
      const changes = { replace: false, set: {}, remove: [], ...NO_FLASHES };
      const [userId, previousId] = [user(), any()];
      const created = await store.manager.create({
        userId,
        previousId,
        meta: {},
        data: {},
        changes,
        persistent: true,
      });
      known.push(created.row.id);
    },
    touch: () => {
      const now = Date.now();
      const ids = Array.from({ length: 20 }, any);
      return store.parts.backend.touch(
        ids.map((id) => ({ id, lastActiveAt: now, expiresAt: now + 60_000, now })),
      );
    },
    save: () => {
      const write = { id: any(), use: usedAt(Date.now()) };
      return store.parts.writer.write({
        ...write,
        apply: (content) => ({ ...content, data: { ...content.data, at: Math.random() } }),
      });
    },
    rotate: () => store.rotateToken(any()),
    revoke: () => store.delete(any()),
    revokeOthers: () => store.destroyAllExcept(user(), any()),
    revokeAll: () => store.destroyAllForUser(user()),
    list: () => store.listForUser(user()),
    expire: async () =>
      void (await store.put(`old-${Math.floor(Math.random() * 500)}`, { userId: user(), data: {} }, '1s')),
  };
  const weighted = [
    'signIn',
    'signIn',
    'signIn',
    'touch',
    'touch',
    'save',
    'save',
    'rotate',
    'revoke',
    'expire',
  ].concat(['expire', 'list', 'revokeOthers', 'revokeAll']);
  const callers = Array.from({ length: CALLERS }, async () => {
    while (performance.now() < until) {
      const name = weighted[Math.floor(Math.random() * weighted.length)] ?? 'list';
      await perform(name, acts[name] ?? (() => Promise.resolve()));
    }
  });
  // Without its rests, so that it meets the others more often.
  const pruning = new SessionPruning(store.parts.backend, new SystemClock(), store.events, async () => {});
  const cleanup = (async () => {
    while (performance.now() < until) await perform('cleanup', () => pruning.run(50));
  })();
  await Promise.all([...callers, cleanup]);
  return { calls, failures: failures.slice(0, 20), deadlocks: deadlocks() };
}
