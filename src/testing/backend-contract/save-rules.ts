import assert from 'node:assert/strict';
import type { PayloadChange } from '../../core/session-backend.js';
import {
  assertEqual,
  MINUTE,
  NOW,
  assertStored,
  idleSince,
  overSince,
  row,
  rulesOf,
  store,
} from './contract-rule.js';

/*
 * The rules of `save`: the payload of a session is replaced where its version is the expected one.
 */

/** A change of version 1 of a row, a minute after it was stored. */
function change(id: string, fields: Partial<PayloadChange> = {}): PayloadChange {
  return {
    id,
    expectedVersion: 1,
    version: 2,
    keyId: 'k2',
    payload: Buffer.from(`changed ${id}`),
    lastActiveAt: NOW + MINUTE,
    expiresAt: NOW + 61 * MINUTE,
    now: NOW + MINUTE,
    ...fields,
  };
}

/** What the change makes of the row. */
function changed(id: string, fields: Partial<PayloadChange> = {}) {
  const { version, keyId, payload, lastActiveAt, expiresAt } = change(id, fields);
  return { ...row(id), version, keyId, payload, lastActiveAt, expiresAt };
}

export const saveRules = rulesOf('save', {
  'stores payload, version, key id, last use and expiry, and nothing else': async (backend) => {
    await store(backend, row('a', { tokenUsed: true, supersededHash: 'd'.repeat(64) }), row('b'));
    assertEqual(await backend.save([change('a')]), [true]);
    const expected = { ...changed('a'), tokenUsed: true, supersededHash: 'd'.repeat(64) };
    await assertStored(backend, { a: expected, b: row('b') });
  },

  'keeps all 256 byte values, and 64 KiB': async (backend) => {
    const payload = Buffer.from(Array.from({ length: 65_536 }, (_, index) => index % 256));
    await store(backend, row('a'));
    assertEqual(await backend.save([change('a', { payload })]), [true]);
    await assertStored(backend, { a: changed('a', { payload }) });
  },

  'keeps a copy: bytes that the caller changes afterwards are not stored': async (backend) => {
    await store(backend, row('a'));
    const given = change('a');
    await backend.save([given]);
    given.payload.fill(0);
    await assertStored(backend, { a: changed('a') });
  },

  'misses, and changes nothing, when the version is another': async (backend) => {
    await store(backend, row('a', { version: Number.MAX_SAFE_INTEGER }));
    assertEqual(await backend.save([change('a', { expectedVersion: Number.MAX_SAFE_INTEGER - 1 })]), [false]);
    assertEqual(await backend.save([change('a')]), [false]);
    await assertStored(backend, { a: row('a', { version: Number.MAX_SAFE_INTEGER }) });
  },

  'compares versions and never orders them': async (backend) => {
    await store(backend, row('a', { version: 5 }));
    assertEqual(await backend.save([change('a', { expectedVersion: 6, version: 7 })]), [false]);
    assertEqual(await backend.save([change('a', { expectedVersion: 5, version: 3 })]), [true]);
    await assertStored(backend, { a: changed('a', { version: 3 }) });
  },

  'hits exactly once when many change the same version at once': async (backend) => {
    await store(backend, row('a'));
    const changes = Array.from({ length: 20 }, (_, index) =>
      change('a', { version: 100 + index, payload: Buffer.from(`writer ${index}`) }),
    );
    const hits = (await Promise.all(changes.map((each) => backend.save([each])))).flat();
    assert.equal(hits.filter(Boolean).length, 1);
    const winner = changes[hits.indexOf(true)];
    await assertStored(backend, { a: changed('a', winner) });
  },

  'hits once when one call changes the same version twice': async (backend) => {
    await store(backend, row('a'));
    const hits = await backend.save([change('a', { version: 2 }), change('a', { version: 3 })]);
    assert.equal(hits.filter(Boolean).length, 1);
    await assertStored(backend, { a: changed('a', { version: hits[0] ? 2 : 3 }) });
  },

  'recognises a change that is sent again: it hits, and is stored once': async (backend) => {
    await store(backend, row('a'), row('b'));
    const changes = [change('a'), change('b')];
    assertEqual(await backend.save([change('a')]), [true]);
    for (let round = 0; round < 2; round++) assertEqual(await backend.save([change('a')]), [true]);
    for (let round = 0; round < 2; round++) assertEqual(await backend.save(changes), [true, true]);
    await assertStored(backend, { a: changed('a'), b: changed('b') });
  },

  'misses when a change is sent again after another one': async (backend) => {
    await store(backend, row('a'), row('b'));
    const next = { expectedVersion: 2, version: 3, payload: Buffer.from('the next one') };
    assertEqual(await backend.save([change('a')]), [true]);
    assertEqual(await backend.save([change('a', next)]), [true]);
    assertEqual(await backend.save([change('a')]), [false]);
    assertEqual(await backend.save([change('a'), change('b')]), [false, true]);
    await assertStored(backend, { a: changed('a', next), b: changed('b') });
  },

  'gives an outcome for each change, and a miss stops no other': async (backend) => {
    await store(backend, row('a'), row('b', { version: 9 }), row('c'));
    const changes = [change('a'), change('x'), change('b'), change('c')];
    assertEqual(await backend.save(changes), [true, false, false, true]);
    await assertStored(backend, { a: changed('a'), b: row('b', { version: 9 }), c: changed('c'), x: null });
  },

  'does nothing for no changes': async (backend) => {
    await store(backend, row('a'));
    assertEqual(await backend.save([]), []);
    await assertStored(backend, { a: row('a') });
  },

  'never creates a row': async (backend) => {
    assertEqual(await backend.save([change('a')]), [false]);
    await assertStored(backend, { a: null });
  },

  'never brings a deleted row back': async (backend) => {
    await store(backend, row('a'));
    await backend.delete({ ids: ['a'] });
    assertEqual(await backend.save([change('a')]), [false]);
    await assertStored(backend, { a: null });
  },

  'never revives a row whose idle timeout has passed, also at the very instant': async (backend) => {
    const rows = { a: row('a', idleSince(NOW)), b: row('b', idleSince(NOW - MINUTE)) };
    await store(backend, rows.a, rows.b);
    const changes = [change('a', { now: NOW }), change('b', { now: NOW })];
    for (const alone of changes) assertEqual(await backend.save([alone]), [false]);
    assertEqual(await backend.save(changes), [false, false]);
    await assertStored(backend, rows);
  },

  'never revives a row past its absolute expiry, also at the very instant': async (backend) => {
    const rows = { a: row('a', overSince(NOW)), b: row('b', overSince(NOW - MINUTE)) };
    await store(backend, rows.a, rows.b);
    const changes = [change('a', { now: NOW }), change('b', { now: NOW })];
    for (const alone of changes) assertEqual(await backend.save([alone]), [false]);
    assertEqual(await backend.save(changes), [false, false]);
    await assertStored(backend, rows);
  },

  'hits one millisecond before the expiry': async (backend) => {
    await store(backend, row('a', { expiresAt: NOW + 1 }), row('b', { absoluteExpiresAt: NOW + 1 }));
    assertEqual(await backend.save([change('a', { now: NOW }), change('b', { now: NOW })]), [true, true]);
  },

  'never moves last use or expiry back, each on its own': async (backend) => {
    await store(backend, row('a'), row('b'));
    const early = { lastActiveAt: NOW - MINUTE };
    const short = { expiresAt: NOW + 2 * MINUTE };
    assertEqual(await backend.save([change('a', early), change('b', short)]), [true, true]);
    await assertStored(backend, {
      a: changed('a', { lastActiveAt: NOW }),
      b: changed('b', { expiresAt: row('b').expiresAt }),
    });
  },

  'never moves the expiry past the absolute one': async (backend) => {
    await store(backend, row('a'));
    await backend.save([change('a', { expiresAt: NOW + 9_000 * MINUTE })]);
    await assertStored(backend, { a: changed('a', { expiresAt: row('a').absoluteExpiresAt }) });
  },
});
