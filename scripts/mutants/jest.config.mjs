import { join } from 'node:path';
import config from '../../jest.config.js';

/**
 * The first project of the suite, with the specs of one stage, for Stryker. It asks one mutant at a time, so what is
 * about workers and reports is left out.
 */
export default {
  ...config.projects[0],
  rootDir: join(import.meta.dirname, '../..'),
  testMatch: JSON.parse(process.env.MUTANTS_SPECS),
  setupFiles: [join(import.meta.dirname, 'no-shrinking.mjs')],
  runner: join(import.meta.dirname, 'first-failure-runner.mjs'),
  testTimeout: Number(process.env.MUTANTS_TEST_TIMEOUT),
};
