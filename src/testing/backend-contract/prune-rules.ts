import assert from 'node:assert/strict';
import type { PruneStep, SessionBackend } from '../../core/session-backend.js';
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

/** Prunes to the end, from a cursor or the start; how many rows each step deleted. */
async function walk(
  backend: SessionBackend,
  batchSize: number,
  atMost: number,
  from: Pick<PruneStep, 'now' | 'cursor'> = { now: NOW, cursor: null },
): Promise<number[]> {
  const deleted: number[] = [];
  let { cursor } = from;
  do {
    const step = await backend.prune({ now: from.now, cursor, batchSize });
    deleted.push(step.deleted);
    assert.ok(deleted.length <= atMost, `the walk goes on after ${atMost} steps`);
    assert.ok(step.deleted <= batchSize, `a step of ${batchSize} rows deleted ${step.deleted}`);
    cursor = step.next;
  } while (cursor !== null);
  return deleted;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

export const pruneRules = rulesOf('prune', {
  'deletes the expired rows, all of them and no others, whatever the size of a batch': async (backend) => {
    const rows = mixed(36);
    const live = rows.filter((_, index) => isLive(index));
    for (const batchSize of [1, 7, 36, 1_000]) {
      await backend.delete({ ids: rows.map(({ id }) => id) });
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
    const step = await backend.prune({ now: NOW, cursor: null, batchSize: 4 });
    assert.equal(step.deleted, 4);
    const left = await backend.find(numbered('id', 10));
    assert.equal(left.filter((each) => each !== null).length, 6);
  },

  'walks on over batches in which nothing has expired': async (backend) => {
    const ids = numbered('id', 12);
    await store(backend, ...ids.map((id, index) => row(id, index < 9 ? {} : idleSince(NOW))));
    assert.equal(sum(await walk(backend, 3, 6)), 3);
  },

  'goes on where the step before ended, and leaves what came before': async (backend) => {
    const ids = numbered('id', 6);
    await store(backend, ...ids.map((id) => row(id)));
    const first = await backend.prune({ now: NOW, cursor: null, batchSize: 2 });
    assert.equal(first.deleted, 0);
    const later = NOW + 60 * MINUTE;
    assert.notEqual(first.next, null);
    assert.equal(sum(await walk(backend, 2, 9, { now: later, cursor: first.next })), 4);
  },

  'goes on though the rows it stopped at are gone': async (backend) => {
    const ids = numbered('id', 8);
    await store(backend, ...ids.map((id) => row(id, idleSince(NOW))));
    const first = await backend.prune({ now: NOW, cursor: null, batchSize: 3 });
    assert.equal(first.deleted, 3);
    const left = (await backend.find(ids)).flatMap((each) => (each ? [each.id] : []));
    await backend.delete({ ids: left.slice(0, 2) });
    assert.equal(sum(await walk(backend, 3, 9, { now: NOW, cursor: first.next })), 3);
  },

  'reaches every id, whatever its characters': async (backend) => {
    const ids = ['0', 'A', 'a', 'Z', 'z', '\u00e9', '\uFF5E', '\u{1F600}', ' ', '%', '_', 'x'.repeat(255)];
    await store(backend, ...ids.map((id) => row(id, idleSince(NOW))));
    assert.equal(sum(await walk(backend, 2, 9)), ids.length);
  },

  'is done at once when there are no rows': async (backend) => {
    assertEqual(await backend.prune({ now: NOW, cursor: null, batchSize: 10 }), { deleted: 0, next: null });
  },
});

export const keysInUseRules = rulesOf('keysInUse', {
  'gives the key ids of the active rows, each once and byte for byte': async (backend) => {
    const keys = ['k1', 'k2', 'k1', 'K1', 'k1', 'unknown'];
    await store(
      backend,
      ...keys.map((keyId, index) => row(`s${index}`, { keyId, userId: index ? 'ada' : null })),
    );
    assertEqual(await sorted(backend), ['K1', 'k1', 'k2', 'unknown']);
  },

  'gives the key of one active row among many of another key, whichever comes first': async (backend) => {
    const many = numbered('s', 30).map((id) => row(id, { keyId: 'many' }));
    await store(backend, row('a', { keyId: 'few' }), ...many, row('z', { keyId: 'zero' }));
    assertEqual(await sorted(backend), ['few', 'many', 'zero']);
  },

  'gives every key, however many there are': async (backend) => {
    const keys = numbered('key', 120);
    await store(backend, ...keys.map((keyId, index) => row(`s${index}`, { keyId, userId: null })));
    assertEqual(await sorted(backend), keys);
  },

  'gives the key that a row was sealed by anew': async (backend) => {
    await store(backend, row('a', { keyId: 'old' }));
    const use = { lastActiveAt: NOW, expiresAt: NOW + MINUTE, now: NOW };
    const change = {
      id: 'a',
      expectedVersion: 1,
      version: 2,
      keyId: 'new',
      payload: Buffer.from('x'),
      ...use,
    };
    assertEqual(await backend.save([change]), [true]);
    assert.ok((await backend.keysInUse(NOW)).has('new'));
  },

  'is empty when there never were rows': async (backend) => {
    assertEqual(await sorted(backend), []);
  },
});

async function sorted(backend: SessionBackend): Promise<string[]> {
  return [...(await backend.keysInUse(NOW))].toSorted();
}
