import assert from 'node:assert/strict';
import { assertStored, row, rulesOf, store } from './contract-rule.js';

/*
 * The rules of `init` and `close`.
 */

export const initRules = rulesOf('init and close', {
  'init leaves stored rows alone when it is called again': async (backend) => {
    await store(backend, row('a'));
    await backend.init();
    await assertStored(backend, { a: row('a') });
  },

  'init may be called many times at once': async (backend) => {
    await Promise.all(Array.from({ length: 8 }, () => backend.init()));
    await store(backend, row('a'));
    await assertStored(backend, { a: row('a') });
  },

  'close may be called twice': async (backend) => {
    await backend.close();
    await assert.doesNotReject(backend.close());
  },
});
