import { sessionBackendContract } from './backend-contract/session-backend-contract.js';
import type { OpenBackend } from './backend-contract/contract-rule.js';

// The globals of the test runner, so that the published types need those of none.
declare const describe: (name: string, body: () => void) => void;
declare const it: (name: string, body: () => Promise<void>) => void;

/**
 * Declares the contract of `SessionBackend` as tests: one for each rule, in a group for each method. A backend that
 * passes can be given to the `backend` option. Call it at the top of a test file of Jest, Vitest with `globals`, or another
 * runner with global `describe` and `it`.
 *
 * @param name what the backend is called in the names of the tests
 * @param open makes a backend over an empty storage of its own. Called once for each test, which calls `init()` first and
 *   `close()` last
 * @example
 * ```ts
 * describeSessionBackend('RedisSessionBackend', () => new RedisSessionBackend());
 * ```
 */
export function describeSessionBackend(name: string, open: OpenBackend): void {
  describe(`${name} keeps the contract of SessionBackend`, () => {
    for (const group of new Set(sessionBackendContract.map((rule) => rule.group))) {
      describe(group, () => {
        for (const rule of sessionBackendContract)
          if (rule.group === group) it(rule.name, () => rule.run(open));
      });
    }
  });
}
