import { availableParallelism } from 'node:os';
import { ALL_SPECS, COMMON, on, STORAGE_RULE_SPECS } from './test/support/jest-projects.js';
import { LEFT_OUT } from './test/support/test-runs.js';

/** What needs no server, no browser and no patience. The rest is in jest.all.config.js. */
const quick = { leftOut: LEFT_OUT, servers: false, share: 0.05 };

/**
 * `npm test`: while one waits. Every spec but those that test-runs.js names, on SQLite and the reference backend;
 * those over HTTP on the reference backend, and the rules that storage decides on SQLite too.
 *
 * @type {import('jest').Config}
 */
export default {
  ...COMMON,
  projects: [
    on(0, 'typeorm-0.3', ALL_SPECS, quick),
    on(0, 'http-sqlite-typeorm-0.3', STORAGE_RULE_SPECS, { ...quick, database: 'sqlite' }),
  ],
  maxWorkers: Math.min(4, Math.max(2, availableParallelism() - 1)), // of up to a gigabyte each
  reporters: ['default', '<rootDir>/test/support/summary-reporter.js'],
};
