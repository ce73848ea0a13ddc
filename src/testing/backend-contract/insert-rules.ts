import assert from 'node:assert/strict';
import type { SessionRow } from '../../core/session-row.js';
import { assertEqual, MINUTE, NOW, assertStored, inserting, row, rulesOf, store } from './contract-rule.js';

/*
 * The rules of `insert` without a limit.
 */

/** Ids that are all different, byte for byte, though some databases would call them equal. */
const LOOK_ALIKES = ['Bob', 'bob', 'bob ', ' bob', 'b\u00f6b', 'bo\u0308b', 'bob\t', 'bob%', 'b_b', 'BOB'];

/** Ids that careless quoting or a narrow character set would break. */
const ODD = [
  "it's",
  '"quoted"',
  '`tick`',
  'semi;colon',
  '-- comment',
  '\u{1F9C1}\u{1F469}\u200d\u{1F680}',
  '\\',
  '日本語',
  '{"a":[]}',
  'x'.repeat(255),
];

const FULL: Partial<SessionRow> = {
  supersededHash: 'f'.repeat(64),
  graceUntil: NOW + 30_000,
  tokenUsed: true,
  version: Number.MAX_SAFE_INTEGER,
  keyId: 'key-of-2100',
  idleTtl: 30 * 24 * 60 * MINUTE,
  persistent: true,
};

const BARE: Partial<SessionRow> = { userId: null, tokenHash: null, authenticatedAt: null, version: 0 };

export const insertRules = rulesOf('insert', {
  'stores every field exactly, and returns the row': async (backend) => {
    const rows = [row('a', FULL), row('b', BARE), row('c')];
    for (const each of rows) {
      const result = await backend.insert(inserting(each));
      assertEqual(result, { status: 'inserted', row: each, replaced: null, evicted: [] });
    }
    assertEqual(await backend.find(['a', 'b', 'c']), rows);
  },

  'keeps all 256 byte values of a payload': async (backend) => {
    const payload = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await store(backend, row('a', { payload }));
    await assertStored(backend, { a: row('a', { payload }) });
  },

  'keeps a payload of 64 KiB': async (backend) => {
    const payload = Buffer.from(Array.from({ length: 65_536 }, (_, index) => (index * 31) % 256));
    await store(backend, row('a', { payload }));
    await assertStored(backend, { a: row('a', { payload }) });
  },

  'keeps a copy: bytes that the caller changes afterwards are not stored': async (backend) => {
    const built = row('a');
    await store(backend, built);
    built.payload.fill(0);
    await assertStored(backend, { a: row('a') });
  },

  'tells ids and users apart byte for byte': async (backend) => {
    const rows = LOOK_ALIKES.map((name) => row(name, { userId: name }));
    await store(backend, ...rows);
    assertEqual(await backend.find(LOOK_ALIKES), rows);
  },

  'takes ids and users with quotes, emoji and 255 characters': async (backend) => {
    const rows = ODD.map((name) => row(name, { userId: name }));
    await store(backend, ...rows);
    assertEqual(await backend.find(ODD), rows);
  },

  'never stores over an existing row': async (backend) => {
    await store(backend, row('a'));
    const other = row('a', { userId: 'eve', payload: Buffer.from('other'), version: 9, tokenHash: null });
    assertEqual(await backend.insert(inserting(other)), { status: 'taken' });
    await assertStored(backend, { a: row('a') });
  },

  'never stores over an expired row either': async (backend) => {
    const old = row('a', { createdAt: 0, lastActiveAt: 0, expiresAt: 1, absoluteExpiresAt: 1 });
    await store(backend, old);
    assertEqual(await backend.insert(inserting(row('a'))), { status: 'taken' });
    await assertStored(backend, { a: old });
  },

  'lets exactly one of many concurrent inserts of one id in': async (backend) => {
    const rows = Array.from({ length: 20 }, (_, version) => row('a', { version, userId: `user-${version}` }));
    const results = await Promise.all(rows.map((each) => backend.insert(inserting(each))));
    const inserted = results.filter((result) => result.status === 'inserted');
    assert.equal(inserted.length, 1);
    assert.equal(results.filter((result) => result.status === 'taken').length, 19);
    assertEqual(await backend.find(['a']), [inserted[0]?.row]);
  },

  'changes nothing when build refuses': async (backend) => {
    await store(backend, row('a'), row('b'));
    const limit = { max: 1, onLimit: 'evict' } as const;
    const request = inserting(null, { userId: 'ada', limit, replaces: 'b' });
    assertEqual(await backend.insert(request), { status: 'refused' });
    await assertStored(backend, { a: row('a'), b: row('b') });
  },

  'rejects with what build throws, changes nothing, and goes on working': async (backend) => {
    await store(backend, row('a'), row('b'));
    const thrown = new RangeError('no such plan');
    const limit = { max: 1, onLimit: 'evict' } as const;
    const build = () => {
      throw thrown;
    };
    await assert.rejects(
      backend.insert({ userId: 'ada', limit, replaces: 'b', build }),
      (error) => error === thrown,
    );
    await assertStored(backend, { a: row('a'), b: row('b') });
    await store(backend, row('c'));
    await assertStored(backend, { c: row('c') });
  },
});
