import { join } from 'node:path';
import { on } from '../../test/support/jest-projects.js';

/**
 * The specs of one stage, for Stryker. It asks one mutant at a time, so what is about workers and reports is left out.
 */
export default {
  ...on(0, 'mutants', JSON.parse(process.env.MUTANTS_SPECS)),
  setupFiles: [join(import.meta.dirname, 'no-shrinking.mjs')],
  runner: join(import.meta.dirname, 'first-failure-runner.mjs'),
  testTimeout: Number(process.env.MUTANTS_TEST_TIMEOUT),
};
