import assert from 'node:assert/strict';
import type { SessionBackend } from '../../core/session-backend.js';
import type { SessionRow } from '../../core/session-row.js';
import {
  assertEqual,
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
 * The rules of `prune`: expired sessions are deleted in steps.
 */

const EXPIRED = [idleSince(NOW), idleSince(NOW - 60 * MINUTE), overSince(NOW), overSince(NOW - MINUTE)];
const LIVE = [{}, { expiresAt: NOW + 1 }, { absoluteExpiresAt: NOW + 1 }, { tokenHash: null }];

/** Rows of which every third is live, of every kind of live and expired. */
function mixed(count: number): SessionRow[] {
  return numbered('id', count).map((id, index) =>
    row(id, { userId: `u${index % 7}`, ...(isLive(index) ? LIVE : EXPIRED)[index % 4] }),
  );
}

const isLive = (index: number) => index % 3 === 0;

/** Prunes from the start to the end; how many rows each step deleted. */
async function walk(backend: SessionBackend, batchSize: number, atMost: number): Promise<number[]> {
  const deleted: number[] = [];
  let after: string | null = null;
  do {
    const step = await backend.prune({ now: NOW, after, batchSize });
    deleted.push(step.deleted);
    assert.ok(deleted.length <= atMost, `the walk goes on after ${atMost} steps`);
    assert.ok(step.deleted <= batchSize, `a step of ${batchSize} rows deleted ${step.deleted}`);
    after = step.next;
  } while (after !== null);
  return deleted;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

export const pruneRules = rulesOf('prune', {
  'deletes the expired rows, all of them and no others, whatever the size of a batch': async (backend) => {
    const rows = mixed(36);
    const live = rows.filter((_, index) => isLive(index));
    for (const batchSize of [1, 7, 36, 1_000]) {
      await backend.delete('all');
      await store(backend, ...rows);
      assert.equal(sum(await walk(backend, batchSize, 38)), 24);
      assertEqual(
        (await backend.find(rows.map(({ id }) => id))).filter((each) => each !== null),
        live,
      );
    }
  },

  'looks at no more rows than a batch in one step': async (backend) => {
    await store(backend, ...numbered('id', 10).map((id) => row(id, idleSince(NOW))));
    const step = await backend.prune({ now: NOW, after: null, batchSize: 4 });
    assert.equal(step.deleted, 4);
    const left = await backend.find(numbered('id', 10));
    assert.equal(left.filter((each) => each !== null).length, 6);
  },

  'walks on over batches in which nothing has expired': async (backend) => {
    const ids = numbered('id', 12);
    await store(backend, ...ids.map((id, index) => row(id, index < 9 ? {} : idleSince(NOW))));
    assert.equal(sum(await walk(backend, 3, 6)), 3);
  },

  'goes on behind the given id, and leaves what is before it': async (backend) => {
    const ids = numbered('id', 6);
    await store(backend, ...ids.map((id) => row(id, idleSince(NOW))));
    const step = await backend.prune({ now: NOW, after: 'id-0002', batchSize: 100 });
    assertEqual(step, { deleted: 3, next: null });
    const left = await backend.find(ids);
    assertEqual(
      left.map((each) => each?.id ?? null),
      ['id-0000', 'id-0001', 'id-0002', null, null, null],
    );
  },

  'goes on though the row it stopped at is gone': async (backend) => {
    await store(backend, ...numbered('id', 4).map((id) => row(id, idleSince(NOW))));
    await backend.delete({ ids: ['id-0001'] });
    assertEqual(await backend.prune({ now: NOW, after: 'id-0001', batchSize: 9 }), {
      deleted: 2,
      next: null,
    });
  },

  'reaches every id, whatever its characters': async (backend) => {
    const ids = ['0', 'A', 'a', 'Z', 'z', '\u00e9', '\uFF5E', '\u{1F600}', ' ', '%', '_', 'x'.repeat(255)];
    await store(backend, ...ids.map((id) => row(id, idleSince(NOW))));
    assert.equal(sum(await walk(backend, 2, 9)), ids.length);
  },

  'is done at once when there are no rows': async (backend) => {
    assertEqual(await backend.prune({ now: NOW, after: null, batchSize: 10 }), { deleted: 0, next: null });
  },
});

export const countByKeyRules = rulesOf('countByKey', {
  'counts active rows by key id': async (backend) => {
    const keys = ['k1', 'k2', 'k1', 'K1', 'k1'];
    await store(
      backend,
      ...keys.map((keyId, index) => row(`s${index}`, { keyId, userId: index ? 'ada' : null })),
    );
    assertEqual(
      await backend.countByKey(NOW),
      new Map([
        ['k1', 3],
        ['k2', 1],
        ['K1', 1],
      ]),
    );
  },

  'does not count expired rows, also at the very instant': async (backend) => {
    await store(
      backend,
      ...mixed(24).map((each, index) => ({ ...each, keyId: isLive(index) ? 'live' : 'expired' })),
    );
    assertEqual(await backend.countByKey(NOW), new Map([['live', 8]]));
  },

  'is empty when there are no rows': async (backend) => {
    assertEqual(await backend.countByKey(NOW), new Map());
    assertEqual(await backend.countByKey(NOW, 10), new Map());
  },

  'may leave out all but the newest when asked for them': async (backend) => {
    await store(
      backend,
      ...numbered('s', 6).map((id, index) => row(id, { keyId: index < 4 ? 'old' : 'new' })),
      row('s-0006', { ...idleSince(NOW - MINUTE), keyId: 'new' }),
    );
    const counts = await backend.countByKey(NOW, 3);
    assertEqual(counts.get('new'), 2);
    assert.ok((counts.get('old') ?? 0) <= 4);
    assertEqual(await backend.countByKey(NOW, 100), await backend.countByKey(NOW));
  },
});
