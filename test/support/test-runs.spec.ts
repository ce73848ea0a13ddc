import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { temporaryFolder } from './nest-app.js';
import { LEFT_OUT, LONGEST, type Run, STEPS, summaryOf } from './test-runs.js';

const TEST = dirname(import.meta.dirname);
const ROOT = dirname(TEST);
const JEST = join(ROOT, 'node_modules/jest/bin/jest.js');

/** Paths below `test`, in one order everywhere. */
const pathsBelow = (files: readonly string[]): string[] =>
  files.map((file) => relative(TEST, file).split(sep).join('/')).toSorted();

/** What Jest would run. */
function specsOf(config: string): string[] {
  const output = execFileSync(process.execPath, [JEST, '--config', config, '--listTests', '--json'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return pathsBelow(JSON.parse(output) as string[]);
}

describe('every spec', () => {
  const specs = pathsBelow(
    readdirSync(TEST, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.spec.ts') && !file.startsWith(`apps${sep}`))
      .map((file) => join(TEST, file)),
  );

  const named = (spec: string) => LEFT_OUT.some((start) => spec.startsWith(start));

  it('is in `npm run test:all`', () => {
    expect(specs.length).toBeGreaterThan(200);
    expect(specsOf('jest.all.config.js')).toEqual(specs);
  });

  it('is in `npm test`, unless it is left out by name', () => {
    expect(specsOf('jest.config.js')).toEqual(specs.filter((spec) => !named(spec)));
  });

  it('is left out by name where it needs a browser, a program, or a server', () => {
    const support = /from '[^']*\/(chromium|use-visitors|nginx|programs|own-server|pg-bouncer|tcp-gate)\.js'/;
    const needy = specs.filter((spec) => support.test(readFileSync(join(TEST, spec), 'utf8')));
    expect(needy.length).toBeGreaterThan(5);
    expect(needy.filter((spec) => !named(spec))).toEqual([]);
  });

  it.each([...LEFT_OUT, ...LONGEST])('that begins with %s is there', (start) => {
    expect(specs.filter((spec) => spec.startsWith(start))).not.toEqual([]);
  });
});

describe('what `npm run test:all` runs beside Jest', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };

  it.each(STEPS)('is a script: $script', ({ script }) => {
    expect(scripts[script]).toBeDefined();
  });
});

describe('the last lines of a run', () => {
  const test = (spec: string, project = 'typeorm-0.3', ...titles: string[]) => ({ spec, project, titles });
  const run = (more: Partial<Run> = {}): string[] =>
    summaryOf({
      isWhole: true,
      files: 1,
      ran: [test('core/duration.spec.ts')],
      share: 1,
      passed: 12,
      failed: 0,
      skipped: 0,
      steps: {},
      ...more,
    });
  const everything = {
    ran: [
      test('core/list.spec.ts', 'typeorm-1', 'a list, on better-sqlite3'),
      test('core/list.spec.ts', 'typeorm-0.3', 'a list, on postgres', 'in order'),
      test('http/session/flash.spec.ts', 'http-mariadb-typeorm-1'),
      test('e2e/demo.spec.ts'),
      test('behaviour/outage/server.spec.ts'),
      test('backends/typeorm/pool/mysql/mysql-dialect.storm.spec.ts'),
      test('backends/redis/redis-session-backend.spec.ts'),
      test('backends/redis/redis-session-backend.contract.spec.ts', 'typeorm-0.3', 'on Valkey', 'on redis 6'),
    ],
    steps: Object.fromEntries(STEPS.map(({ script }) => [script, 'passed' as const])),
  };

  it('say what ran, and what did not', () => {
    expect(run({ share: 0.1 })).toEqual([
      'Ran: 1 spec file, TypeORM 0.3',
      'Not run: SQLite, PostgreSQL, MariaDB, Redis, Valkey, TypeORM 1, browsers, servers that go and come, storms, ' +
        'apps of their own on Node 20, 22 and 24, the examples, what a request does at most, the other platform of each spec over HTTP, 90 % of the random runs: npm run test:all',
      '12 passed, 0 failed',
    ]);
  });

  it('go by the tests, not by the plan: a database whose server is not there has not run', () => {
    const ran = everything.ran.filter(({ titles }) => !titles.includes('a list, on postgres'));
    expect(run({ ...everything, ran })[1]).toBe('Not run: PostgreSQL: npm run test:all');
  });

  it('count each step as one, and name those that failed', () => {
    const [step] = STEPS;
    expect(run(everything).slice(1)).toEqual([
      'Nothing was left out',
      `${12 + STEPS.length} passed, 0 failed`,
    ]);
    expect(run({ ...everything, steps: { ...everything.steps, [step!.script]: 'failed' } }).slice(2)).toEqual(
      [`Failed: npm run ${step!.script}`, `${11 + STEPS.length} passed, 1 failed`],
    );
  });

  it('say so when only some specs were asked for, or some were skipped', () => {
    expect(run({ ...everything, isWhole: false, skipped: 3 }).slice(1)).toEqual([
      'Not run: the other specs: npm run test:all',
      `${12 + STEPS.length} passed, 0 failed, 3 skipped`,
    ]);
  });

  it('are the last of what Jest prints, and count a file that does not load', () => {
    const folder = temporaryFolder();
    const write = (file: string, text: string): void => {
      mkdirSync(dirname(folder.path(file)), { recursive: true });
      writeFileSync(folder.path(file), text);
    };
    write(
      'good.spec.js',
      "describe('rows, on postgres', () => { it('are there', () => {}); it.skip('no', () => {}); });",
    );
    write('bad.spec.js', "it('fails', () => { throw new Error('on purpose'); });");
    write('broken.spec.js', "throw new Error('on purpose');");
    write(
      'jest.config.json',
      JSON.stringify({
        projects: [
          {
            rootDir: folder.path('.'),
            displayName: 'typeorm-1',
            testMatch: ['**/*.spec.js'],
            globals: { SHARE_OF_RANDOM_RUNS: 1 },
          },
        ],
        reporters: ['default', join(import.meta.dirname, 'summary-reporter.js')],
      }),
    );
    const { stdout, status } = spawnSync(
      process.execPath,
      [JEST, '--config', folder.path('jest.config.json'), '--runInBand'],
      // What this run says of itself is not said of the one in it.
      { cwd: ROOT, encoding: 'utf8', env: { ...process.env, TEST_RESULTS: undefined, RUNS: undefined } },
    );
    folder.remove();
    expect(status).toBe(1);
    expect(stdout.trimEnd().split('\n').slice(-3)).toEqual([
      'Ran: 2 spec files, PostgreSQL, TypeORM 1',
      expect.stringMatching(
        /^Not run: SQLite, MariaDB, Redis, Valkey, TypeORM 0\.3, browsers, .*: npm run test:all$/,
      ),
      '1 passed, 2 failed, 1 skipped',
    ]);
  });
});
