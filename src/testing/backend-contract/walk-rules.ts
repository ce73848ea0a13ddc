import assert from 'node:assert/strict';
import type { SessionBackend, WalkStep } from '../../core/session-backend.js';
import { compareIds } from '../../core/identifiers.js';
import type { SessionRow } from '../../core/session-row.js';
import {
  assertEqual,
  assertStored,
  MINUTE,
  NOW,
  idleSince,
  numbered,
  overSince,
  row,
  rulesOf,
  store,
} from './contract-rule.js';

/*
 * The rules of `walk`: the active sessions of everybody, read in steps.
 */

const EXPIRED = [idleSince(NOW), idleSince(NOW - 60 * MINUTE), overSince(NOW), overSince(NOW - MINUTE)];
const LIVE = [{}, { expiresAt: NOW + 1 }, { absoluteExpiresAt: NOW + 1 }, { tokenHash: null }];

const isLive = (index: number) => index % 3 === 0;

/** Rows of which every third is live, of every kind of live and expired, and of several users and none. */
function mixed(count: number): SessionRow[] {
  return numbered('id', count).map((id, index) =>
    row(id, {
      userId: index % 5 === 0 ? null : `u${index % 7}`,
      ...(isLive(index) ? LIVE : EXPIRED)[index % 4],
    }),
  );
}

function step(fields: Partial<WalkStep> = {}): WalkStep {
  return {
    now: NOW,
    cursor: null,
    batchSize: 100,
    limit: 10_000,
    activeSince: null,
    authenticated: null,
    ...fields,
  };
}

/** Ids in the order of their bytes: a walk has an order of the storage's own. */
const ids = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id).toSorted(compareIds);

/** Walks to the end, from a cursor or the start; the rows that the steps gave. */
async function walk(
  backend: SessionBackend,
  fields: Partial<WalkStep>,
  atMost: number,
  between: (steps: number) => Promise<unknown> = () => Promise.resolve(),
  seen: (rows: readonly SessionRow[]) => void = () => undefined,
): Promise<SessionRow[]> {
  const rows: SessionRow[] = [];
  const { batchSize } = step(fields);
  let { cursor } = step(fields);
  for (let steps = 1; ; steps++) {
    const result = await backend.walk(step({ ...fields, cursor }));
    assert.ok(steps <= atMost, `the walk goes on after ${atMost} steps`);
    assert.ok(result.rows.length <= batchSize, `a step of ${batchSize} rows gave ${result.rows.length}`);
    rows.push(...result.rows);
    seen(result.rows);
    if (result.next === null) return rows;
    cursor = result.next;
    await between(steps);
  }
}

export const walkRules = rulesOf('walk', {
  'gives the active rows of everybody, whole, whatever the size of a batch': async (backend) => {
    const rows = mixed(36);
    await store(backend, ...rows.toReversed());
    const live = rows.filter((_, index) => isLive(index));
    for (const batchSize of [1, 7, 36, 1_000]) {
      const found = await walk(backend, { batchSize }, 38);
      assertEqual(
        found.toSorted((a, b) => compareIds(a.id, b.id)),
        live,
      );
    }
    await assertStored(backend, Object.fromEntries(rows.map((each) => [each.id, each])));
  },

  'looks at no more rows than a batch in one step, whether or not it gives them': async (backend) => {
    const expired = numbered('expired', 8).map((id) => row(id, idleSince(NOW)));
    await store(backend, ...expired, row('live'));
    let steps = 0;
    assertEqual(ids(await walk(backend, { batchSize: 4 }, 10, async () => steps++)), ['live']);
    assert.ok(steps >= 2, `9 rows were looked at in ${steps + 1} steps of 4`);
  },

  'goes on where the step before ended, though the rows there have gone': async (backend) => {
    await store(backend, ...numbered('id', 9).map((id) => row(id)));
    const first = await backend.walk(step({ batchSize: 3 }));
    assert.notEqual(first.next, null);
    await backend.delete({ ids: ids(first.rows) });
    const rest = await walk(backend, { batchSize: 3, cursor: first.next }, 9);
    assertEqual(ids([...first.rows, ...rest]), numbered('id', 9));
  },

  'gives no more rows than the limit, and goes on behind the last of them': async (backend) => {
    const rows = mixed(36);
    await store(backend, ...rows);
    const live = rows.filter((_, index) => isLive(index)).map(({ id }) => id);
    for (const limit of [1, 2, 5, 12, 13]) {
      let most = 0;
      const found = await walk(backend, { batchSize: 36, limit }, 40, undefined, (given) => {
        most = Math.max(most, given.length);
      });
      assertEqual(ids(found), live);
      assert.equal(most, Math.min(limit, 12));
    }
  },

  'can go on from one cursor again and again': async (backend) => {
    await store(backend, ...numbered('id', 6).map((id) => row(id)));
    const { next } = await backend.walk(step({ batchSize: 2 }));
    const [once, again] = [
      await backend.walk(step({ cursor: next })),
      await backend.walk(step({ cursor: next })),
    ];
    assert.equal(ids(once.rows).join(), ids(again.rows).join());
    assert.equal(once.rows.length, 4);
  },

  'reaches every id, whatever its characters': async (backend) => {
    const sorted = [' ', '%', '0', 'A', 'Z', '_', 'a', 'x'.repeat(255), 'z', '\u00e9', '\uFF5E', '\u{1F600}'];
    await store(backend, ...sorted.toReversed().map((id) => row(id)));
    assertEqual(ids(await walk(backend, { batchSize: 2 }, 20)), sorted);
  },

  'gives a row that stays exactly once, whatever begins and ends meanwhile': async (backend) => {
    const stays = numbered('id', 9);
    await store(backend, ...stays.map((id) => row(id)), row('id-0003-ends'), row('id-0007-ends'));
    const rows = await walk(backend, { batchSize: 2 }, 30, async (steps) => {
      await backend.delete({ ids: [steps === 1 ? 'id-0003-ends' : 'id-0007-ends'] });
      if (steps < 8) await store(backend, row(`id-000${steps}-begins`), row(`a-${steps}`), row(`z-${steps}`));
      await backend.touch([{ id: 'id-0004', lastActiveAt: NOW + steps, expiresAt: NOW + MINUTE, now: NOW }]);
    });
    assertEqual(
      ids(rows).filter((id) => stays.includes(id)),
      stays,
    );
    assert.equal(new Set(ids(rows)).size, rows.length, 'a row was given twice');
  },

  'leaves out rows that have not been active since, but not at that very instant': async (backend) => {
    const usedAt = { a: NOW - 3, b: NOW - 2, c: NOW - 1, d: NOW - 9 };
    await store(backend, ...Object.entries(usedAt).map(([id, lastActiveAt]) => row(id, { lastActiveAt })));
    assertEqual(ids(await walk(backend, { activeSince: NOW - 2, batchSize: 1 }, 5)), ['b', 'c']);
    assertEqual(ids((await backend.walk(step({ activeSince: NOW }))).rows), []);
    assertEqual(ids((await backend.walk(step({ activeSince: 0 }))).rows), ['a', 'b', 'c', 'd']);
  },

  'gives the rows with a user, those without, or both': async (backend) => {
    const users = ['ada', null, 'bob', '0', null];
    await store(backend, ...users.map((userId, index) => row(`s${index}`, { userId })));
    const found = async (authenticated: boolean | null) =>
      ids(await walk(backend, { authenticated, batchSize: 2 }, 4));
    assertEqual(await found(true), ['s0', 's2', 's3']);
    assertEqual(await found(false), ['s1', 's4']);
    assertEqual(await found(null), ['s0', 's1', 's2', 's3', 's4']);
    assertEqual(ids((await backend.walk(step({ authenticated: false, activeSince: NOW + 1 }))).rows), []);
  },

  'is done at once when there are no rows': async (backend) => {
    assertEqual(await backend.walk(step()), { rows: [], next: null });
    assertEqual(await backend.walk(step({ activeSince: 0, authenticated: true })), { rows: [], next: null });
  },

  'gives rows that belong to the caller: changing their bytes changes nothing stored': async (backend) => {
    await store(backend, row('a'));
    (await backend.walk(step())).rows[0]?.payload.fill(0);
    assertEqual(await backend.find(['a']), [row('a')]);
  },
});
