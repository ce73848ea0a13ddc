/**
 * Jest's projects: which specs run on which major version of TypeORM and on which database. Which of them `npm test` has,
 * and which `npm run test:all`, is in ../../jest.config.js and ../../jest.all.config.js.
 */
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '');

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
  rootDir: ROOT,
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest', swc] },
  modulePathIgnorePatterns: ['<rootDir>/test/apps/'],
};

const moduleNameMapper = {
  '^(\\.{1,2}/.*)\\.js$': '$1',
  '^nest-sessions$': '<rootDir>/src/index.ts',
  '^nest-sessions/migrations$': '<rootDir>/src/backends/typeorm/schema/session-migrations.ts',
  '^nest-sessions/redis$': '<rootDir>/src/backends/redis/index.ts',
  '^nest-sessions/testing$': '<rootDir>/src/testing/index.ts',
  // Mercurius needs @fastify/static, that requires a module which is ESM only: Jest can do so from Node 24.9 on.
  '^content-disposition$': '<rootDir>/node_modules/content-disposition',
};

/** What maps `typeorm`, wherever it is imported, to the major version. */
const typeormMapper = [{}, { '^typeorm$': 'typeorm1', '^typeorm/(.*)$': 'typeorm1/$1' }];

/** Apps with dependencies of their own: scripts/check-apps.sh runs their specs. */
const APPS = 'apps/';

/**
 * Specs on one major version of TypeORM.
 *
 * @param {0 | 1} major
 * @param {string} name
 * @param {readonly string[]} testMatch
 * @param {{ readonly leftOut?: readonly string[], readonly servers?: boolean, readonly share?: number,
 *   readonly database?: string }} [settings] `leftOut`: specs that are not in it, each the beginning of a path below
 *   `test`; `servers`: whether there are database servers; `share`: of the random runs; `database`: what is under the
 *   apps of specs over HTTP, in place of the reference backend
 */
export function on(major, name, testMatch, { leftOut = [], servers = true, share = 1, database } = {}) {
  return {
    ...project,
    displayName: name,
    testMatch: [...testMatch],
    testPathIgnorePatterns: [
      '/node_modules/',
      ...[APPS, ...leftOut].map((path) => `<rootDir>/test/${path.replaceAll('.', '\\.')}`),
    ],
    moduleNameMapper: { ...moduleNameMapper, ...typeormMapper[major] },
    globals: {
      TYPEORM_MAJOR: major,
      TEST_DATABASE: database,
      HAS_SERVERS: servers,
      SHARE_OF_RANDOM_RUNS: share,
    },
  };
}

/** Every spec. */
export const ALL_SPECS = ['**/*.spec.ts'];

/** Specs that say something else on another major version of TypeORM. */
export const MATRIX_SPECS = ['**/*.matrix.spec.ts'];

const inTest = (names) => names.map((name) => `**/test/${name}.spec.ts`);

/** Specs over HTTP of those rules of docs/design.md that storage decides. */
export const STORAGE_RULE_SPECS = inTest([
  'behaviour/{expiry,no-resurrection,no-lost-update,acknowledged-is-durable,reads-do-not-write,transactions,outage}',
  'behaviour/graphql/saving',
]);

/**
 * Those of the other rules, and of what a handler holds. What happens behind a response, and in a process, the reference
 * backend tells alone.
 */
export const MORE_HTTP_SPECS = inTest([
  'behaviour/{junk-cookies,sealed-payloads,replaced-tokens,rotation,json-data}',
  'behaviour/{caches,every-way-out,caches-every-way-out}',
  'http/session/!(client-meta|request-session-state*)', // those left out go without HTTP
]);

/** What both runs have in common. */
export const COMMON = {
  rootDir: ROOT,
  testSequencer: '<rootDir>/test/support/longest-first.js',
  testTimeout: 600_000, // ends what hangs: machines are shared and busy, and no test measures speed
  workerIdleMemoryLimit: '1GB', // what native ESM loads for a file stays: a worker of four gigabytes is a slow one
};
