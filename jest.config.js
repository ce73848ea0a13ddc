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
  testTimeout: 20_000,
};

const moduleNameMapper = {
  '^(\\.{1,2}/.*)\\.js$': '$1',
  '^nest-sessions$': '<rootDir>/src/index.ts',
  '^nest-sessions/testing$': '<rootDir>/src/testing/index.ts',
};

/** The majors of TypeORM that are supported. `*.matrix.spec.ts` run on both, with everything that imports it. */
const typeorm0 = {
  ...project,
  displayName: 'typeorm 0.3',
  testMatch: ['**/*.spec.ts'],
  // Apps with dependencies of their own: scripts/check-apps.sh runs their specs.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/apps/'],
  modulePathIgnorePatterns: ['<rootDir>/test/apps/'],
  moduleNameMapper,
  globals: { TYPEORM_MAJOR: 0 },
};
const typeorm1 = {
  ...project,
  displayName: 'typeorm 1',
  testMatch: ['**/*.matrix.spec.ts'],
  moduleNameMapper: { ...moduleNameMapper, '^typeorm$': 'typeorm1', '^typeorm/(.*)$': 'typeorm1/$1' },
  globals: { TYPEORM_MAJOR: 1 },
};

/** @type {import('jest').Config} */
export default {
  projects: [typeorm0, typeorm1],
  maxWorkers: 2,
  reporters: ['default', '<rootDir>/test/support/summary-reporter.js'],
};
