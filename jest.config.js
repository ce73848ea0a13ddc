/** Nest 12 is ESM only, so Jest runs native ESM and swc only strips the types. */
const swc = {
  swcrc: false,
  sourceMaps: 'inline',
  module: { type: 'es6' },
  jsc: {
    target: 'es2022',
    keepClassNames: true,
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
  },
};

const project = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest', swc] },
  // Apps with dependencies of their own: scripts/check-apps.sh runs their specs.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/apps/'],
  modulePathIgnorePatterns: ['<rootDir>/test/apps/'],
};

const moduleNameMapper = {
  '^(\\.{1,2}/.*)\\.js$': '$1',
  '^nest-sessions$': '<rootDir>/src/index.ts',
  '^nest-sessions/migrations$': '<rootDir>/src/backends/typeorm/schema/session-migrations.ts',
  '^nest-sessions/testing$': '<rootDir>/src/testing/index.ts',
};

/** What maps `typeorm`, wherever it is imported, to the major version. */
const typeormMapper = [{}, { '^typeorm$': 'typeorm1', '^typeorm/(.*)$': 'typeorm1/$1' }];

/** Specs on one major version of TypeORM. */
const on = (major, name, testMatch, globals = {}) => ({
  ...project,
  displayName: name,
  testMatch,
  moduleNameMapper: { ...moduleNameMapper, ...typeormMapper[major] },
  globals: { TYPEORM_MAJOR: major, ...globals },
});

/** Specs over HTTP of what a session is and does. They run on the reference backend, and on each of these databases. */
const overHttp = [
  // The rules of docs/design.md. What happens behind a response, and in a process, the reference backend tells alone.
  'behaviour/{expiry,no-resurrection,no-lost-update,every-way-out,acknowledged-is-durable,reads-do-not-write}',
  'behaviour/{junk-cookies,sealed-payloads,replaced-tokens,rotation,outage,json-data,transactions}',
  'behaviour/caches{,-every-way-out}',
  'http/session/!(client-meta|request-session-state*)', // what a handler holds; those left out go without HTTP
].map((name) => `**/test/${name}.spec.ts`);

const databases = [
  [0, 'sqlite'],
  [0, 'better-sqlite3'],
  [0, 'postgres'],
  [0, 'mariadb'],
  [1, 'better-sqlite3'],
  [1, 'postgres'],
  [1, 'mariadb'],
];

/** @type {import('jest').Config} */
export default {
  projects: [
    on(0, 'typeorm 0.3', ['**/*.spec.ts']),
    on(1, 'typeorm 1', ['**/*.matrix.spec.ts']),
    ...databases.map(([major, kind]) =>
      on(major, `http on ${kind}, typeorm ${major || '0.3'}`, overHttp, { TEST_DATABASE: kind }),
    ),
  ],
  testTimeout: 600_000, // ends what hangs: machines are shared and busy, and no test measures speed
  maxWorkers: 2,
  workerIdleMemoryLimit: '1GB', // what native ESM loads for a file stays: a worker of four gigabytes is a slow one
  reporters: ['default', '<rootDir>/test/support/summary-reporter.js'],
};
