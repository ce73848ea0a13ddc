import { sessionBackendContract } from './backend-contract/session-backend-contract.js';
import type { OpenBackends } from './backend-contract/contract-rule.js';

// The globals of the test runner, so that the published types need those of none.
declare const describe: (name: string, body: () => void) => void;
declare const it: (name: string, body: () => Promise<void>) => void;

/**
 * Declares the contract of `SessionBackend` as tests: one for each rule, in a group for each method. The calls of a rule go to
 * two backends over one storage in turn, as those of two processes do. A backend that passes can be given to the `backend`
 * option. Call it at the top of a test file of Jest, Vitest with `globals`, or another
 * runner with global `describe` and `it`.
 *
 * @param name what the backend is called in the names of the tests
 * @param open makes two backends over one empty storage, each with a connection of its own, which nothing else uses. Called
 *   once for each test, which calls `init()` of both first and `close()` of both last. A storage that only one process can have
 *   is the same backend twice: then nothing is shown of others
 * @example
 * ```ts
 * let storages = 0;
 * const url = 'redis://127.0.0.1:6379';
 * describeSessionBackend('RedisSessionBackend', () => {
 *   const prefix = `test-${++storages}:`;
 *   return [new RedisSessionBackend({ url }, { prefix }), new RedisSessionBackend({ url }, { prefix })];
 * });
 * ```
 */
export function describeSessionBackend(name: string, open: OpenBackends): void {
  describe(`${name} keeps the contract of SessionBackend`, () => {
    for (const group of new Set(sessionBackendContract.map((rule) => rule.group))) {
      describe(group, () => {
        for (const rule of sessionBackendContract)
          if (rule.group === group) it(rule.name, () => rule.run(open));
      });
    }
  });
}
