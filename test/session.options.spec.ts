import { SessionModule, type SessionOptions, SessionStore } from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import { closeApps, KEY, startApp, startupError } from './support/nest-app.js';

const backend = MemorySessionBackend;
const DURATION = "expected a positive duration, as milliseconds or a string such as '30m', got";

/** What an app with such an option says when it starts. */
const failure = (options: object) =>
  startupError({
    imports: [SessionModule.forRootAsync({ useFactory: () => ({ key: KEY, ...options }), backend })],
  });

async function configOf(options: Partial<SessionOptions>) {
  const app = await startApp({ imports: [SessionModule.forRoot({ key: KEY, backend, ...options })] });
  return app.get(SessionStore).config;
}

afterEach(closeApps);

describe('the defaults', () => {
  it('are those of the table', async () => {
    expect(await configOf({})).toEqual({
      plaintext: false,
      ttl: 86_400_000,
      absoluteTtl: 30 * 86_400_000,
      live: { recheck: 5_000 },
      anonymousTtl: 86_400_000,
      remember: { ttl: 30 * 86_400_000, absoluteTtl: 30 * 86_400_000 },
      touchInterval: 300_000,
      maxPerUser: 10,
      onLimit: 'evict',
      rotation: { every: null, grace: 30_000 },
      timeout: 5000,
      maxDataBytes: 16_384,
      memo: true,
    });
  });

  it('follow `ttl`', async () => {
    expect(await configOf({ ttl: '20m' })).toMatchObject({ anonymousTtl: 1_200_000, touchInterval: 120_000 });
  });

  it('stand for options that are undefined', async () => {
    const options = { ttl: undefined, maxPerUser: undefined, cookie: undefined, cleanup: undefined };
    expect(await configOf(options)).toMatchObject({ ttl: 86_400_000, maxPerUser: 10 });
  });
});

describe('durations', () => {
  it('are milliseconds or strings with a unit', async () => {
    const config = await configOf({
      ttl: 3_600_000,
      absoluteTtl: '7d',
      timeout: 250,
      touchInterval: '1 minute',
    });
    expect(config).toMatchObject({
      ttl: 3_600_000,
      absoluteTtl: 604_800_000,
      timeout: 250,
      touchInterval: 60_000,
    });
  });

  it("of a lifetime may be short when the unit is said: '5s'", async () => {
    expect(await configOf({ ttl: '5s', remember: { ttl: '5s' } })).toMatchObject({
      ttl: 5000,
      touchInterval: 500,
    });
  });

  it.each([
    ['ttl', { ttl: 3600 }],
    ['absoluteTtl', { absoluteTtl: 3600 }],
    ['anonymousTtl', { anonymousTtl: 3600 }],
    ['rotation.every', { rotation: { every: 3600 } }],
    ['remember.ttl', { remember: { ttl: 3600 } }],
    ['remember.absoluteTtl', { remember: { absoluteTtl: 3600 } }],
  ])(
    'as bare numbers under a minute are refused for `%s`, with a word about units',
    async (name, options) => {
      expect(await failure(options)).toBe(
        `SessionOptionsError: \`${name}\`: expected milliseconds, got 3600, which is under a minute. Durations are ` +
          "milliseconds, not seconds: write '3600s' for 3600 seconds, or '3600ms' if that is what you mean",
      );
    },
  );

  it.each<[unknown, string]>([
    [0, '0'],
    [-60_000, '-60000'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    ['', "''"],
    ['soon', "'soon'"],
    ['3600000', "'3600000'"],
    ['-1h', "'-1h'"],
    ['200y', "'200y'"],
    [true, 'true'],
  ])('are refused when they are %p', async (value, got) => {
    for (const name of ['ttl', 'absoluteTtl', 'anonymousTtl', 'touchInterval', 'timeout']) {
      expect(await failure({ [name]: value })).toBe(`SessionOptionsError: \`${name}\`: ${DURATION} ${got}`);
    }
  });
});

describe('refused at startup', () => {
  it.each<[object, string | RegExp]>([
    [
      { touchInterval: '13h' },
      /`touchInterval`: expected at most half of .*\(43200000 ms\), got 46800000 ms/,
    ],
    [{ anonymousTtl: '1h', touchInterval: '31m' }, /`touchInterval`: expected at most half .*\(1800000 ms\)/],
    [{ maxPerUser: 0 }, '`maxPerUser`: expected an integer of at least 1 or false, got 0'],
    [{ maxPerUser: -1 }, '`maxPerUser`: expected an integer of at least 1 or false, got -1'],
    [{ maxPerUser: 1.5 }, '`maxPerUser`: expected an integer of at least 1 or false, got 1.5'],
    [{ maxPerUser: '5' }, "`maxPerUser`: expected an integer of at least 1 or false, got '5'"],
    [{ maxPerUser: true }, '`maxPerUser`: expected an integer of at least 1 or false, got true'],
    [{ onLimit: 'block' }, "`onLimit`: expected 'evict' or 'reject', got 'block'"],
    [{ maxDataBytes: 0 }, '`maxDataBytes`: expected an integer of at least 1, got 0'],
    [{ memo: 0 }, '`memo`: expected true or false, got 0'],
    [{ remember: true }, '`remember`: expected an object { ttl, absoluteTtl }, got true'],
    [{ remember: { days: 30 } }, "Unknown `remember` option: expected one of ttl, absoluteTtl, got 'days'"],
    [{ rotation: '15m' }, "`rotation`: expected an object { every, grace }, got '15m'"],
    [
      { rotation: { interval: '15m' } },
      "Unknown `rotation` option: expected one of every, grace, got 'interval'",
    ],
    [
      { rotation: { every: '1m', grace: '1m' } },
      '`rotation.grace`: expected less than `rotation.every` (60000 ms)',
    ],
    [{ rotation: { grace: -1 } }, `\`rotation.grace\`: ${DURATION} -1`],
    [{ requireAuth: 'yes' }, "`requireAuth`: expected true or false, got 'yes'"],
    [{ currentSession: 'yes' }, "`currentSession`: expected true or false, got 'yes'"],
    [{ mount: 'before' }, "`mount`: expected 'guard' or 'middleware', got 'before'"],
    [{ meta: { ip: false } }, '`meta`: expected a function of the request, got an object'],
    [{ tableName: '' }, "`tableName`: expected the name of a table, got ''"],
    [{ tableName: 5 }, '`tableName`: expected the name of a table, got 5'],
    [{ createTable: 'no' }, "`createTable`: expected true or false, got 'no'"],
    [{ preparedStatements: 'no' }, "`preparedStatements`: expected true or false, got 'no'"],
    [
      { plaintext: 'yes', key: undefined },
      "`plaintext`: expected true, false or 'even-in-production', got 'yes'",
    ],
    [{ ttl: '1h', tttl: '2h' }, /^Unknown option: expected one of key, plaintext, ttl, .*, got 'tttl'$/],
  ])('%p', async (options, message) => {
    const error = await failure(options);
    expect(error).toMatch(/^SessionOptionsError: /);
    const text = error.replace('SessionOptionsError: ', '');
    if (typeof message === 'string') expect(text).toContain(message);
    else expect(text).toMatch(message);
  });

  // Taken for the default today: `??` does not tell null from undefined.
  it.each([
    'ttl',
    'absoluteTtl',
    'anonymousTtl',
    'maxPerUser',
    'onLimit',
    'remember',
    'rotation',
    'timeout',
    'maxDataBytes',
    'memo',
  ])('null for `%s`', async (name) => {
    expect(await failure({ [name]: null })).toMatch(
      new RegExp(`^SessionOptionsError: \`${name}\`: .*got null`),
    );
  });

  it('an unknown option, already by forRoot', () => {
    expect(() => SessionModule.forRoot({ key: KEY, maxUsers: 3 } as object)).toThrow(
      /^Unknown option: expected one of .*dataSource, backend, clock, got 'maxUsers'$/,
    );
  });

  it('options that are no object, already by forRoot', () => {
    const forRoot = SessionModule.forRoot.bind(SessionModule) as (options?: unknown) => unknown;
    expect(() => forRoot()).toThrow('`options`: expected an object, got undefined');
    expect(() => forRoot(null)).toThrow('`options`: expected an object, got null');
  });
});

describe('the `cleanup` option', () => {
  it.each<[unknown, string]>([
    [true, '`cleanup`: expected an object { cron, batchSize } or false, got true'],
    ['@hourly', "`cleanup`: expected an object { cron, batchSize } or false, got '@hourly'"],
    [
      { cron: 'every hour' },
      "`cleanup.cron`: expected a cron expression such as '0 * * * *', got 'every hour'",
    ],
    [
      { cron: '60 * * * *' },
      "`cleanup.cron`: expected a cron expression such as '0 * * * *', got '60 * * * *'",
    ],
    [{ cron: '' }, "`cleanup.cron`: expected a cron expression such as '0 * * * *', got ''"],
    [{ cron: 3600 }, "`cleanup.cron`: expected a cron expression such as '0 * * * *', got 3600"],
    [
      { cron: '0 0 30 2 *' },
      "`cleanup.cron`: expected a cron expression such as '0 * * * *', got '0 0 30 2 *'",
    ],
    [{ batchSize: 0 }, '`cleanup.batchSize`: expected an integer of at least 1, got 0'],
    [{ batchSize: 1.5 }, '`cleanup.batchSize`: expected an integer of at least 1, got 1.5'],
    [{ batch: 10 }, "Unknown `cleanup` option: expected one of cron, batchSize, got 'batch'"],
  ])('is refused as %p', async (cleanup, message) => {
    expect(await failure({ cleanup })).toBe(`SessionOptionsError: ${message}`);
  });

  it.each(['0 * * * *', '*/10 * * * * *', '0 3 * * 1-5', '@daily'])('takes %p', async (cron) => {
    expect(await configOf({ cleanup: { cron } })).toMatchObject({ plaintext: false });
  });
});
