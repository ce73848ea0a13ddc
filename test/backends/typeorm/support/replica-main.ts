// A process of its own with a store on a database that others use too, which does what its parent says.
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionStore } from '../../../../src/core/session-store.js';
import { nextGeneration, rotated } from '../../../../src/core/rotation-policy.js';
import { unused } from '../../../../src/core/session-writer.js';
import { PATIENCE } from './open-backend.js';
import type { ReplicaCalls, ReplicaRequest } from './replica.js';
import { type Failures, storm } from './storm.js';

let store: SessionStore | undefined;

function opened(): SessionStore {
  if (!store) throw new Error('not opened');
  return store;
}

/** `count` calls, so many at a time. What they say, or the names of their errors. */
async function atOnce<T>(count: number, call: (index: number) => Promise<T>): Promise<(T | string)[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      call(index).catch((error: Error) => (error.name === 'SessionStoreError' ? error.message : error.name)),
    ),
  );
}

const calls: ReplicaCalls = {
  async open(options, more) {
    const backend = new TypeOrmSessionBackend(options, {
      tableName: 'sessions',
      createTable: true,
      timeout: PATIENCE,
      shared: false,
    });
    store = new SessionStore(backend, { plaintext: true, timeout: PATIENCE, ...more });
  },
  init: () => opened().initSchema(),
  close: () => opened().close(),
  async signIn(userId, rounds, count) {
    const failures: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const results = await atOnce(count, () => opened().create({}, userId));
      failures.push(...results.filter((result) => typeof result === 'string'));
    }
    return failures;
  },
  endAll: (userId) => opened().destroyAllForUser(userId),
  async rotate(id, current, count) {
    const { backend, issuer, clock, clockName } = opened().parts;
    const results = await atOnce(count, async () => {
      const { hash } = issuer.issue(id, { generation: nextGeneration(current), kin: undefined });
      const now = clock.now();
      const next = rotated(current, hash, { now, clock: clockName, grace: 30_000 });
      return (await backend.changeToken({ id, expected: current, next, now })) ? hash : null;
    });
    return results.filter((result) => result !== null);
  },
  cycle: (oldId, prefix, count) =>
    atOnce(count, async (index) => {
      await opened().cycle(oldId, `${prefix}-${index}`, { userId: 'ada', data: {} }, '1h');
      return 'won';
    }),
  async increment(id, count) {
    const { writer } = opened().parts;
    const results = await atOnce(count, () =>
      writer.write({
        id,
        use: unused,
        apply: ({ data, ...rest }) => ({ ...rest, data: { ...data, count: Number(data['count'] ?? 0) + 1 } }),
      }),
    );
    return results.filter((result) => typeof result === 'string');
  },
  takeTurns: (count) =>
    Promise.all(Array.from({ length: count }, () => opened().parts.pruning.takeTurn(10, 3_600_000))),
  storm: (seconds, users): Promise<Failures> => storm(opened(), seconds, users),
};

process.on('message', (message: ReplicaRequest) => {
  const call = calls[message.call] as (...values: readonly unknown[]) => Promise<unknown>;
  call(...message.values).then(
    (result) => process.send?.({ number: message.number, result }),
    (error: Error) => process.send?.({ number: message.number, error: String(error.stack) }),
  );
});
