import {
  ALL_SPECS,
  COMMON,
  MATRIX_SPECS,
  MORE_HTTP_SPECS,
  on,
  STORAGE_RULE_SPECS,
} from './test/support/jest-projects.js';

/**
 * Databases for the specs over HTTP: one of each dialect, and both major versions of TypeORM. What a driver or a version
 * changes is behind `SessionBackend`, and the contract of that runs on all seven combinations; so does an app as it
 * comes, in databases.matrix.spec.ts.
 */
const DATABASES = [
  [0, 'sqlite'],
  [1, 'postgres'],
  [0, 'mariadb'],
];

/**
 * `npm run test:all`: every spec, on every database and major version of TypeORM that it says something else about.
 *
 * @type {import('jest').Config}
 */
export default {
  ...COMMON,
  projects: [
    on(0, 'typeorm-0.3', ALL_SPECS),
    on(1, 'typeorm-1', MATRIX_SPECS),
    ...DATABASES.map(([major, database]) =>
      on(major, `http-${database}-typeorm-${major || '0.3'}`, [...STORAGE_RULE_SPECS, ...MORE_HTTP_SPECS], {
        database,
      }),
    ),
  ],
  maxWorkers: 3, // of which some only wait at any time: for a timeout, a server, or a browser
  reporters: ['default', '<rootDir>/test/support/summary-reporter.js'],
};
