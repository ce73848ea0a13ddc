import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { JsonObject } from '../../../src/core/json-data.js';
import { SessionError } from '../../../src/core/session-errors.js';
import type { SessionRecord } from '../../../src/core/session-record.js';
import type { SessionStore } from '../../../src/core/session-store.js';
import type { SessionToken } from '../../../src/core/session-token.js';
import type { ManualClock } from '../../../src/testing/manual-clock.js';
import type { OpenMemoryBackend } from './backends.js';
import { HOUR, MINUTE } from './open-store.js';
import type { ModelSession, State, StoreModel } from './store-model.js';

export interface RealStore {
  readonly store: SessionStore;
  readonly clock: ManualClock;
  readonly backend: OpenMemoryBackend;
  /** Every token that was ever issued. */
  readonly tokens: SessionToken[];
  /** Every id that was ever used. */
  readonly ids: string[];
}

export type StoreCommand = fc.AsyncCommand<StoreModel, RealStore>;
type Run = (real: RealStore, model: StoreModel) => Promise<[actual: unknown, expected: unknown]>;

const USERS = ['ada', 'bob', 'Bob'];
const KEYS = ['key', 'other', 'KEY'];

/** Does the same to the store and to the model, and compares what they say and what they hold afterwards. */
function command(text: string, run: Run): StoreCommand {
  return {
    check: () => true,
    toString: () => text,
    run: async (model, real) => {
      const [actual, expected] = await run(real, model);
      const store = { [text]: actual, ...(await heldBy(real)) };
      const map = { [text]: expected, ...holding(model) };
      if (!isDeepStrictEqual(store, map)) expect(store).toEqual(map);
    },
  };
}

async function heldBy({ store, backend }: RealStore): Promise<object> {
  const lists = await Promise.all(USERS.map((userId) => store.listForUser(userId)));
  return { ids: [...backend.stored.keys()].toSorted(), lists: lists.map((list) => list.map(plain)) };
}

function holding(model: StoreModel): object {
  const lists = USERS.map((userId) => model.list(userId, 'lastActiveAt').map(fromModel));
  return { ids: [...model.sessions.keys()].toSorted(), lists };
}

/** What a call says: its value, or the name of its error. */
async function said(call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof SessionError) return error.name;
    throw error;
  }
}

function plain(session: SessionRecord | null): object | null {
  if (session === null) return null;
  const { integrity: _integrity, ...rest } = session;
  return { ...rest, data: session.data };
}

function fromModel(session: ModelSession | null): object | null {
  if (session === null) return null;
  const {
    token: _token,
    createdAt,
    authenticatedAt,
    lastActiveAt,
    expiresAt,
    absoluteExpiresAt,
    ...rest
  } = session;
  return {
    ...rest,
    createdAt: new Date(createdAt),
    authenticatedAt: authenticatedAt === null ? null : new Date(authenticatedAt),
    lastActiveAt: new Date(lastActiveAt),
    expiresAt: new Date(expiresAt),
    absoluteExpiresAt: new Date(absoluteExpiresAt),
  };
}

const user = fc.constantFrom(...USERS, null);
const owner = fc.constantFrom(...USERS);
const value = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.constantFrom(null, 'text', [1, { x: 2 }], { x: [3] }),
);
const data = fc.dictionary(fc.constantFrom('a', 'b', 'c'), value, {
  noNullPrototype: true,
}) as fc.Arbitrary<JsonObject>;
const state: fc.Arbitrary<State> = fc.record({ userId: user, data }, { noNullPrototype: true });
/** One of the ids so far, or a key of the key-value face. */
const target = fc.oneof(
  { weight: 3, arbitrary: fc.nat(50) },
  { weight: 1, arbitrary: fc.constantFrom(...KEYS) },
);
const offset = fc.integer({ min: -5 * MINUTE, max: 5 * MINUTE });
const lifetime = fc.integer({ min: 0, max: 4 * HOUR });
const ttl = fc.constantFrom(10 * MINUTE, HOUR, 10 * HOUR);

function idOf(real: RealStore, chosen: number | string): string {
  if (typeof chosen === 'string') return chosen;
  return real.ids.at(-1 - (chosen % Math.max(1, real.ids.length))) ?? 'unknown';
}

export const storeCommands: fc.Arbitrary<StoreCommand>[] = [
  fc.tuple(state, fc.nat(9)).map(([{ userId, data: given }, n]) =>
    command(`create(${userId})`, async (real, model) => {
      const { session, token } = await real.store.create({ n }, userId, given);
      real.tokens.push(token);
      real.ids.push(session.id);
      const created = model.create(session.id, token.reveal(), { n }, { userId, data: given });
      return [plain(session), fromModel(created)];
    }),
  ),
  fc.nat(50).map((n) =>
    command(`readByToken(${n})`, async (real, model) => {
      const token = real.tokens.at(-1 - (n % Math.max(1, real.tokens.length)));
      if (token === undefined || model.isReturnInDoubt(token.sessionId, token.reveal())) return [null, null];
      const expected = model.readByToken(token.sessionId, token.reveal());
      return [plain(await real.store.readByToken(token)), fromModel(expected)];
    }),
  ),
  fc
    .tuple(target, data, fc.option(data, { nil: undefined }), offset, lifetime)
    .map(([chosen, next, base, at, life]) =>
      command(`flush(${chosen}, ${JSON.stringify([next, base])})`, async (real, model) => {
        const [id, now] = [idOf(real, chosen), model.now + at];
        const flushed = await real.store.flush(id, next, now, now + life, base);
        return [flushed, model.flush(id, next, now, now + life, base)];
      }),
    ),
  fc.tuple(target, offset, lifetime).map(([chosen, at, life]) =>
    command(`touch(${chosen}, ${at}, ${life})`, async (real, model) => {
      const [id, now] = [idOf(real, chosen), model.now + at];
      return [await real.store.touch(id, now, now + life), model.touch(id, now, now + life)];
    }),
  ),
  fc.tuple(target, fc.constantFrom(0, 30_000)).map(([chosen, grace]) =>
    command(`rotateToken(${chosen}, ${grace})`, async (real, model) => {
      const id = idOf(real, chosen);
      let text = '';
      const actual = await said(async () => {
        const token = await real.store.rotateToken(id, { grace });
        real.tokens.push(token);
        text = token.reveal();
      });
      return [actual, await said(() => model.rotateToken(id, text, grace))];
    }),
  ),
  fc.tuple(target, state, ttl, fc.boolean()).map(([chosen, given, life, sessions]) =>
    command(`put(${chosen}, ${given.userId}, ${life}, ${sessions})`, async (real, model) => {
      const id = idOf(real, chosen);
      real.ids.push(id);
      const actual = await said(async () => plain(await real.store.put(id, given, life, { sessions })));
      return [actual, await said(() => fromModel(model.put(id, given, life, sessions)))];
    }),
  ),
  fc.tuple(target, target, state, ttl, fc.boolean()).map(([from, to, given, life, sessions]) =>
    command(`cycle(${from}, ${to}, ${given.userId}, ${sessions})`, async (real, model) => {
      const [oldId, newId] = [idOf(real, from), idOf(real, to)];
      const actual = await said(async () =>
        plain(await real.store.cycle(oldId, newId, given, life, { sessions })),
      );
      return [actual, await said(() => fromModel(model.cycle(oldId, newId, given, life, sessions)))];
    }),
  ),
  fc.tuple(target, fc.boolean()).map(([chosen, sessions]) =>
    command(`get(${chosen}, ${sessions})`, async (real, model) => {
      const id = idOf(real, chosen);
      const { store } = real;
      const actual = [
        await said(async () => plain(await store.get(id, { sessions }))),
        plain(await store.load(id)),
        plain(await store.read(id)),
      ];
      const expected = [
        await said(() => fromModel(model.get(id, sessions))),
        fromModel(model.active(id)),
        fromModel(model.sessions.get(id) ?? null),
      ];
      return [actual, expected];
    }),
  ),
  target.map((chosen) =>
    command(`delete(${chosen})`, async (real, model) => {
      const id = idOf(real, chosen);
      return [await real.store.delete(id), model.sessions.delete(id)];
    }),
  ),
  fc.tuple(owner, fc.nat(3)).map(([userId, limit]) =>
    command(`findSessionsForUser(${userId}, ${limit})`, async (real, model) => {
      const found = await real.store.findSessionsForUser(userId, limit);
      return [found.map(plain), model.list(userId, 'createdAt', limit).map(fromModel)];
    }),
  ),
  fc.tuple(owner, target, fc.nat(9)).map(([userId, chosen, kind]) =>
    command(`destroyAll…(${userId}, ${chosen}, ${kind})`, async (real, model) => {
      const keepId = idOf(real, chosen);
      if (kind === 0) return [await real.store.destroyAll(), model.end((session) => model.isActive(session))];
      const isTheirs = (session: ModelSession): boolean => session.userId === userId;
      if (kind < 4) return [await real.store.destroyAllForUser(userId), model.end(isTheirs)];
      const ended = model.end((session) => isTheirs(session) && session.id !== keepId);
      return [await real.store.destroyAllExcept(userId, keepId), ended];
    }),
  ),
  fc
    .integer({ min: 1, max: 5 })
    .map((batch) =>
      command(`cleanupExpired(${batch})`, async (real, model) => [
        await real.store.cleanupExpired(batch),
        model.cleanup(),
      ]),
    ),
  fc.constantFrom(1, 29_999, 30_000, 10 * MINUTE, HOUR - 1, HOUR).map((duration) =>
    command(`advance(${duration})`, async (real, model) => {
      real.clock.advance(duration);
      model.now += duration;
      return [real.clock.now(), model.now];
    }),
  ),
];
