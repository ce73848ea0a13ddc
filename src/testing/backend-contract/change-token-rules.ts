import assert from 'node:assert/strict';
import type { TokenChange } from '../../core/session-backend.js';
import type { TokenState } from '../../core/session-row.js';
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
 * The rules of `changeToken`: a compare-and-swap of the token of one session.
 */

/** Hash of the token that the rows begin with. */
const HASH = 'c'.repeat(64);

const NEXT: TokenState = {
  tokenHash: 'e'.repeat(64),
  supersededHash: HASH,
  tokenIssuedAt: NOW,
  graceUntil: NOW + 30_000,
  tokenUsed: true,
  tokenGeneration: 3,
  replacedTokens: '!clock,'.padEnd(512, '9:zzzzzzzz,'),
};

/** A change from the token that `current` rows have. */
function change(fields: Partial<TokenChange> = {}): TokenChange {
  return { id: 'a', expected: { tokenHash: HASH, tokenUsed: false }, next: NEXT, now: NOW, ...fields };
}

const current = (fields = {}) => row('a', { tokenHash: HASH, ...fields });

export const changeTokenRules = rulesOf('changeToken', {
  'stores the seven fields of the token, and nothing else': async (backend) => {
    await store(backend, current(), row('b', { tokenHash: HASH }));
    assert.equal(await backend.changeToken(change()), true);
    await assertStored(backend, { a: current(NEXT), b: row('b', { tokenHash: HASH }) });
  },

  'stores authenticatedAt when it is given': async (backend) => {
    await store(backend, current());
    assert.equal(await backend.changeToken(change({ authenticatedAt: NOW + 7 })), true);
    await assertStored(backend, { a: current({ ...NEXT, authenticatedAt: NOW + 7 }) });
  },

  'leaves an authenticatedAt of null alone': async (backend) => {
    await store(backend, current({ authenticatedAt: null }));
    assert.equal(await backend.changeToken(change()), true);
    await assertStored(backend, { a: current({ ...NEXT, authenticatedAt: null }) });
  },

  'can take the superseded hash, and the token, away': async (backend) => {
    await store(backend, current({ supersededHash: 'b'.repeat(64) }));
    const next = { ...NEXT, tokenHash: null, supersededHash: null, tokenUsed: false };
    assert.equal(await backend.changeToken(change({ next })), true);
    await assertStored(backend, { a: current(next) });
  },

  'misses, and changes nothing, when the hash is another': async (backend) => {
    await store(backend, current());
    const expected = { tokenHash: 'd'.repeat(64), tokenUsed: false };
    assert.equal(await backend.changeToken(change({ expected })), false);
    assert.equal(
      await backend.changeToken(change({ expected: { tokenHash: null, tokenUsed: false } })),
      false,
    );
    await assertStored(backend, { a: current() });
  },

  'misses, and changes nothing, when the token is used but expected not to be, or the reverse': async (
    backend,
  ) => {
    await store(backend, current());
    assert.equal(
      await backend.changeToken(change({ expected: { tokenHash: HASH, tokenUsed: true } })),
      false,
    );
    await assertStored(backend, { a: current() });
    assert.equal(await backend.changeToken(change({ next: { ...NEXT, tokenHash: HASH } })), true);
    assert.equal(await backend.changeToken(change()), false);
    await assertStored(backend, { a: current({ ...NEXT, tokenHash: HASH }) });
  },

  'can expect a row without a token': async (backend) => {
    await store(backend, current({ tokenHash: null }));
    assert.equal(await backend.changeToken(change()), false);
    assert.equal(
      await backend.changeToken(change({ expected: { tokenHash: null, tokenUsed: false } })),
      true,
    );
    await assertStored(backend, { a: current(NEXT) });
  },

  'recognises a change that is sent again': async (backend) => {
    await store(backend, current());
    const sent = change({ authenticatedAt: NOW + 7 });
    for (let round = 0; round < 3; round++) assert.equal(await backend.changeToken(sent), true);
    await assertStored(backend, { a: current({ ...NEXT, authenticatedAt: NOW + 7 }) });
  },

  'recognises a change that takes the token away when it is sent again': async (backend) => {
    await store(backend, current());
    const next = { ...NEXT, tokenHash: null, tokenUsed: false };
    for (let round = 0; round < 3; round++) assert.equal(await backend.changeToken(change({ next })), true);
    await assertStored(backend, { a: current(next) });
  },

  'misses when a change is sent again after another one': async (backend) => {
    await store(backend, current());
    const later = { ...NEXT, tokenHash: 'f'.repeat(64), tokenGeneration: 4 };
    assert.equal(await backend.changeToken(change()), true);
    assert.equal(
      await backend.changeToken(
        change({ expected: { tokenHash: NEXT.tokenHash, tokenUsed: true }, next: later }),
      ),
      true,
    );
    assert.equal(await backend.changeToken(change()), false);
    await assertStored(backend, { a: current(later) });
  },

  'has exactly one winner among many at once': async (backend) => {
    await store(backend, current());
    const nexts = Array.from({ length: 20 }, (_, index) => ({
      ...NEXT,
      tokenHash: String(index).padStart(64, '0'),
    }));
    const hits = await Promise.all(nexts.map((next) => backend.changeToken(change({ next }))));
    assert.equal(hits.filter(Boolean).length, 1);
    await assertStored(backend, { a: current(nexts[hits.indexOf(true)]) });
  },

  'misses a row that is not active, also at the very instant of its expiry': async (backend) => {
    const rows = [idleSince(NOW), overSince(NOW), idleSince(NOW - MINUTE), overSince(NOW - MINUTE)].map(
      (fields, index) => ({ ...current(fields), id: `expired-${index}` }),
    );
    await store(backend, ...rows);
    for (const { id } of rows) assert.equal(await backend.changeToken(change({ id })), false);
    assertEqual(await backend.find(rows.map(({ id }) => id)), rows);
  },

  'hits one millisecond before the expiry': async (backend) => {
    await store(backend, current({ expiresAt: NOW + 1 }));
    assert.equal(await backend.changeToken(change()), true);
  },

  'never creates a row': async (backend) => {
    assert.equal(await backend.changeToken(change()), false);
    await assertStored(backend, { a: null });
  },
});
