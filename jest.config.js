import { ALL_SPECS, COMMON, HTTP_SPECS, on } from './test/support/jest-projects.js';
import { LEFT_OUT } from './test/support/test-runs.js';

/** What needs no server, no browser and no patience. The rest is in jest.all.config.js. */
const quick = { leftOut: Object.values(LEFT_OUT).flat(), servers: false, share: 0.1 };

/**
 * `npm test`: while one waits. Every spec but those that test-runs.js names, on SQLite and the reference backend.
 *
 * @type {import('jest').Config}
 */
export default {
  ...COMMON,
  projects: [
    on(0, 'typeorm-0.3', ALL_SPECS, quick),
    on(0, 'http-sqlite-typeorm-0.3', HTTP_SPECS, { ...quick, database: 'sqlite' }),
  ],
  maxWorkers: 2,
  reporters: ['default', '<rootDir>/test/support/summary-reporter.js'],
};
