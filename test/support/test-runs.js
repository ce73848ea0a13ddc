/**
 * What the two runs have. `npm test` needs no server and ends while one waits; `npm run test:all` has everything. A spec is
 * in both of them unless it stands here. Types are in test-runs.d.ts: Jest's configuration is read before anything is compiled.
 */

/**
 * Specs that `npm test` leaves to `npm run test:all`, each the beginning of a path below `test`. What other specs say about
 * PostgreSQL and MariaDB it leaves out too.
 */
export const LEFT_OUT = [
  'e2e/', // browsers
  'behaviour/outage/', // servers that go and come
  'behaviour/replicas/', // the same, and processes of their own
  'backends/redis/', // servers of their own
  'backends/typeorm/pool/', // only servers have pools of connections
  'backends/typeorm/sql/insert-queue.spec.ts',
  'backends/typeorm/sql/insert.lost-answers.matrix.spec.ts',
  'backends/typeorm/sql/save-and-touch.matrix.spec.ts',
  'backends/typeorm/sql/server-state.spec.ts',
  'session.module.data-source.matrix.spec.ts',
  'docs/databases.spec.ts',

  // Processes of their own, and waits of seconds
  'backends/typeorm/typeorm-session-backend.two-processes.spec.ts',
  'backends/typeorm/sqlite/busy-backoff.spec.ts',
  'backends/typeorm/sqlite/sqlite-source.beside-the-app.spec.ts',
  'behaviour/forgotten-promises-process.spec.ts',
  'repository/address.spec.ts',
  'support/whole-run.spec.ts',

  // What one way of opening SQLite tells, the others tell too
  'backends/typeorm/typeorm-session-backend.contract.in-memory.spec.ts',
  'backends/typeorm/typeorm-session-backend.contract.matrix.spec.ts',
  'backends/typeorm/sql/row-mapping.matrix.spec.ts',
  'behaviour/databases.matrix.spec.ts',
  'session.module.sqlite-sources.matrix.spec.ts',

  // Three drivers of GraphQL, and thousands of sockets and messages
  'behaviour/graphql/contexts.spec.ts',
  'behaviour/graphql/cross-site.spec.ts',
  'behaviour/graphql/current-session.spec.ts',
  'behaviour/graphql/errors.spec.ts',
  'behaviour/graphql/saving.spec.ts',
  'behaviour/graphql/subscriptions.spec.ts',
  'http/sockets/prepare-graphql.spec.ts',
  'http/sockets/socket-connection.spec.ts',

  // Thousands of combinations, all of them
  'http/security/csrf.beginning.spec.ts',
  'http/security/csrf.nest-protection.spec.ts',
  'http/response/response-gate.streams.spec.ts',
  'http/session.middleware.exits.spec.ts',
  'behaviour/caches-every-way-out.spec.ts',
  'behaviour/hostile-headers.spec.ts',
  'behaviour/beside/express-sub-apps.spec.ts',
  'backends/typeorm/sql/delete.spec.ts',
  'interleaving/flawed-storages.spec.ts', // schedules, until each planted flaw shows

  // Pages that are whole apps, and all types once more
  'docs/backend.spec.ts',
  'docs/deploy.spec.ts',
  'docs/devices-and-admin.spec.ts',
  'docs/examples.spec.ts',
  'docs/graphql.spec.ts',
  'docs/passport-and-oauth.spec.ts',
  'docs/services.queue.spec.ts', // Redis
  'docs/services.spec.ts',
  'docs/sign-in.spec.ts',
  'types.spec.ts',
];

/** Specs that take longest, in the order in which they start. */
export const LONGEST = [
  'backends/typeorm/pool/postgres/postgres-dialect.storm.spec.ts',
  'interleaving/interleaving.spec.ts',
  'backends/redis/redis-session-backend.durability.spec.ts',
  'backends/redis/redis-session-backend.cluster.spec.ts',
  'backends/redis/redis-session-backend.sentinel.spec.ts',
  'backends/redis/redis-session-backend.contract.spec.ts',
  'behaviour/hostile-headers.spec.ts',
  'behaviour/outage/ended-connections.spec.ts',
  'behaviour/outage/database-server.spec.ts',
  'backends/typeorm/pool/mysql/mysql-dialect.storm.spec.ts',
  'backends/typeorm/pool/mysql/galera.spec.ts',
  'backends/redis/redis-session-backend.resharding.spec.ts',
  'behaviour/outage/redis-server.spec.ts',
  'behaviour/outage/redis-resharding.spec.ts',
  'backends/typeorm/pool/retry-policy.server-limits.spec.ts',
  'e2e/single-page-app.spec.ts',
  'e2e/demo.spec.ts',
  'e2e/demo.live.spec.ts',
  'backends/typeorm/pool/pooled-connection.matrix.spec.ts',
  'core/rotation-policy.exhaustive.spec.ts',
  'interleaving/flawed-storages.spec.ts',
  'backends/typeorm/sql/row-mapping.matrix.spec.ts',
  'behaviour/no-resurrection.spec.ts',
  'behaviour/every-way-out.spec.ts',
];

/** What `npm run test:all` runs beside Jest. `script` is one of package.json. */
export const STEPS = [
  { name: 'apps of their own on Node 20, 22 and 24', script: 'check:package' },
  { name: 'the examples', script: 'check:examples' },
  { name: 'what a request does at most', script: 'check:budget' },
];

/** What Jest can run, and whether a test that has run belongs to it. */
export const PARTS = [
  { name: 'SQLite', has: isOn('sqlite', 'better-sqlite3') },
  { name: 'PostgreSQL', has: isOn('postgres') },
  { name: 'MariaDB', has: isOn('mariadb') },
  { name: 'Redis', has: ({ spec }) => spec.startsWith('backends/redis/') },
  { name: 'Valkey', has: ({ titles }) => titles.includes('on Valkey') },
  { name: 'TypeORM 0.3', has: ({ project }) => project.endsWith('typeorm-0.3') },
  { name: 'TypeORM 1', has: ({ project }) => project.endsWith('typeorm-1') },
  { name: 'browsers', has: ({ spec }) => spec.startsWith('e2e/') },
  { name: 'servers that go and come', has: ({ spec }) => spec.startsWith('behaviour/outage/') },
  { name: 'storms', has: ({ spec }) => spec.includes('.storm.') },
];

/**
 * Of a project for a kind of database, or below a title that ends in it: see `onEachDatabase`.
 */
function isOn(...kinds) {
  return ({ project, titles }) =>
    kinds.some(
      (kind) => project.startsWith(`http-${kind}-`) || titles.some((title) => title.endsWith(`, on ${kind}`)),
    );
}

/** The last lines of a run: what ran, what did not, and `12 passed, 0 failed`. Each step counts as one. */
export function summaryOf({ isWhole, files, ran, share, passed, failed, skipped, steps }) {
  const isThere = ({ has }) => ran.some(has);
  const names = (parts) => parts.map(({ name }) => name);
  const ranSteps = STEPS.filter(({ script }) => steps[script] !== undefined);
  const did = [
    files === 1 ? '1 spec file' : `${files} spec files`,
    ...names([...PARTS.filter(isThere), ...ranSteps]),
  ];
  const missing = [
    ...PARTS.filter((part) => !isThere(part)),
    ...STEPS.filter((step) => !ranSteps.includes(step)),
  ];
  const rest = [
    ...(isWhole ? [] : ['the other specs']),
    ...names(missing),
    ...(share < 1
      ? ['the other platform of each spec over HTTP', `${Math.round(100 - share * 100)} % of the random runs`]
      : []),
  ];
  const count = (result) => ranSteps.filter(({ script }) => steps[script] === result).length;
  const total = `${passed + count('passed')} passed, ${failed + count('failed')} failed`;
  return [
    `Ran: ${did.join(', ')}`,
    rest.length === 0 ? 'Nothing was left out' : `Not run: ${rest.join(', ')}: npm run test:all`,
    ...ranSteps
      .filter(({ script }) => steps[script] === 'failed')
      .map(({ script }) => `Failed: npm run ${script}`),
    skipped > 0 ? `${total}, ${skipped} skipped` : total,
  ];
}
