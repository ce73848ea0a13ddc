import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { withCompiledPackage } from '../../src/schematics/jest-config.js';
import { onEachDatabase, openDatabase, type TestDatabase } from '../support/databases.js';
import { ROOT, shownFile } from './compile.js';
import { Document, type Snippet } from './document.js';
import { openWorkplace, testsOf, withoutDataSource, type Workplace } from './run.js';

Logger.overrideLogger(false);
const PAGE = 'docs/testing.md';
const page = Document.read(join(ROOT, PAGE));
const specs = page.snippets.filter(
  ({ file }) => file.endsWith('.spec.ts') && file !== 'login-fastify.spec.ts',
);
/** Those that the apps have too, which have no gateway and no adapter for one. */
const specsOfApps = specs.filter(({ file }) => file !== 'notes.gateway.spec.ts');

/** The line of the app module that the page has its readers write, so that tests have a database of their own. */
const DATABASE = "database: process.env.DB ?? 'app.sqlite'";

/** The app of the quick start with that line. */
function testedModule(): Snippet {
  const shown = shownFile('app.module.ts', PAGE);
  return { ...shown, code: shown.code.replace("database: 'app.sqlite'", DATABASE) };
}

/** That app on PostgreSQL. */
function moduleOnPostgres(): Snippet {
  const shown = testedModule();
  const code = shown.code.replace(`type: 'sqlite', ${DATABASE}`, "type: 'postgres', url: process.env.DB");
  if (code === shown.code) throw new Error('Expected app.module.ts to have a data source of SQLite');
  return { ...shown, code };
}

/** A spec with what the page has its readers write instead, where sessions are in memory. */
function inMemory(spec: Snippet): Snippet {
  const [before, instead] = ['Test.createTestingModule({ imports: [AppModule] })', 'createTestingModule()'];
  expect(page.text).toContain(`write \`${instead}\` for \`${before}\``);
  const code = spec.code.replace(before, instead);
  return { ...spec, code: `import { createTestingModule } from './testing-module.js';\n${code}` };
}

/** A spec with the line that the page has its readers add, where sessions are in the database. */
function emptied(spec: Snippet): Snippet {
  const line = "await app.get(DataSource).query('DELETE FROM sessions');";
  expect(page.text).toContain(`\n${line}\n`);
  const code = spec.code.replace('await app.init();', `$&\n${line}`);
  return { ...spec, code: `import { DataSource } from 'typeorm';\n${code}` };
}

/** The app that the page has tested, with one of its specs, once the setup file has run. */
async function openTested(spec: Snippet): Promise<Workplace> {
  const place = openWorkplace([spec, testedModule(), shownFile('session-key.ts', PAGE)]);
  await place.run('session-key.ts');
  return place;
}

/** The apps that the configurations of the page are tried on, by scripts/check-apps.sh. */
const APPS = [
  { app: 'nest11-cjs', heading: 'Jest, CommonJS' },
  { app: 'nest12-esm', heading: 'Jest, ESM' },
] as const;

function ofApp(app: string, file: string): string {
  return readFileSync(join(ROOT, 'test/apps', app, file), 'utf8');
}

/** The first block of JSON below a heading. */
function jsonUnder(heading: string): Record<string, unknown> {
  const [, section = ''] = page.text.split(`\n### ${heading}\n`);
  const [, json = ''] = /^```json\n([^]*?)\n```$/m.exec(section.split('\n## ', 1)[0] ?? '') ?? [];
  return JSON.parse(json) as Record<string, unknown>;
}

/** Without what the formatter decides. */
function unformatted(code: string): string {
  return code.replaceAll(/\s+/g, '').replaceAll(/,(?=[\])}])/g, '');
}

/** Without what a CommonJS app leaves out, and the line that names the file. */
function codeOf(code: string): string {
  return code
    .replace(/^\/\/ .*\n/, '')
    .replaceAll(/(from '\.\/[\w.-]+)\.js'/g, "$1'")
    .trim();
}

function databasesIn(place: Workplace): string[] {
  return readdirSync(place.path).filter((name) => name.includes('sqlite'));
}

describe('the tests that the page shows', () => {
  const { SESSION_KEY: keyBefore, DB: databaseBefore } = process.env;
  beforeEach(() => {
    delete process.env['SESSION_KEY'];
    delete process.env['DB'];
  });
  afterEach(() => {
    process.env['SESSION_KEY'] = keyBefore;
    if (databaseBefore === undefined) delete process.env['DB'];
    else process.env['DB'] = databaseBefore;
  });

  it('have a database of their own by the line that the page changes', () => {
    expect(page.text).toContain(`\n${DATABASE}\n`);
    expect(testedModule().code).toContain(`type: 'sqlite', ${DATABASE}`);
  });

  it('are those of a controller, of a sign-in, of a timeout, and of a gateway', () => {
    const files = ['app.spec.ts', 'login.spec.ts', 'expiry.spec.ts', 'notes.gateway.spec.ts'];
    expect(specs.map(({ file }) => file)).toEqual(files);
  });

  it.each(specs)('pass with the setup file, and leave no database behind: $file', async (spec) => {
    const place = await openTested(spec);
    try {
      expect(Buffer.from(process.env['SESSION_KEY'] ?? '', 'base64url')).toHaveLength(32);
      const tests = await testsOf(place, spec.file);
      expect(tests.length).toBeGreaterThan(0);
      for (const [, run] of tests) await run();
      expect(databasesIn(place)).toEqual([]);
    } finally {
      place.close();
    }
  });

  it('leave no sessions in a file that has the rows of the app, with sessions in memory', async () => {
    const spec = inMemory(shownFile('login.spec.ts', PAGE));
    const place = openWorkplace([spec, testedModule(), shownFile('testing-module.ts', PAGE)]);
    process.env['SESSION_KEY'] = randomBytes(32).toString('base64url');
    process.env['DB'] = 'app.sqlite';
    try {
      for (const [, run] of await testsOf(place, spec.file)) await run();
      expect(databasesIn(place)).toEqual(['app.sqlite']);
    } finally {
      place.close();
    }
  });

  it('fail as the page says without a key', async () => {
    const place = openWorkplace([
      shownFile('login.spec.ts', PAGE),
      withoutDataSource(shownFile('app.module.ts', PAGE)),
    ]);
    try {
      const [[, run]] = (await testsOf(place, 'login.spec.ts')) as [[string, () => Promise<void>]];
      const message = 'expected the encryption key, 32 bytes, got undefined';
      expect(page.text).toContain(message);
      await expect(run()).rejects.toThrow(message);
    } finally {
      place.close();
    }
  });

  it("fail without the line that mends supertest's jar", async () => {
    const spec = shownFile('login.spec.ts', PAGE);
    const place = await openTested({ ...spec, code: spec.code.replace(/^\s*agent\.jar.*$/m, '') });
    try {
      const [[, withAgent], [, byHand]] = (await testsOf(place, 'login.spec.ts')) as [
        [string, () => Promise<void>],
        [string, () => Promise<void>],
      ];
      await expect(withAgent()).rejects.toThrow('expected 200 "OK", got 401');
      await byHand();
    } finally {
      place.close();
    }
  });

  it('pass with supertest on Fastify, once it is ready', async () => {
    const spec = shownFile('login.spec.ts', PAGE);
    const ready = 'await app.getHttpAdapter().getInstance().ready()';
    expect(page.text).toContain(ready);
    const code =
      "import { FastifyAdapter } from '@nestjs/platform-fastify';\n" +
      spec.code
        .replace('createNestApplication()', 'createNestApplication(new FastifyAdapter())')
        .replace('await app.init();', `await app.init(); ${ready};`);
    expect(code).toContain('(new FastifyAdapter())');
    expect(code).toContain(ready);
    const place = await openTested({ ...spec, code });
    try {
      for (const [, run] of await testsOf(place, 'login.spec.ts')) await run();
    } finally {
      place.close();
    }
  });
});

onEachDatabase('the tests that the page shows', ['postgres'], (kind) => {
  const { SESSION_KEY: keyBefore, DB: databaseBefore } = process.env;
  let database: TestDatabase;

  beforeEach(async () => {
    database = await openDatabase(kind);
    const options = database.options();
    if (options.type !== 'postgres') throw new Error(`Expected PostgreSQL, got ${options.type}`);
    const { host, port, username, password = '', database: name } = options;
    process.env['SESSION_KEY'] = randomBytes(32).toString('base64url');
    process.env['DB'] = `postgres://${username}:${String(password)}@${host}:${port}/${name}`;
  });
  afterEach(async () => {
    await database.drop();
    process.env['SESSION_KEY'] = keyBefore;
    if (databaseBefore === undefined) delete process.env['DB'];
    else process.env['DB'] = databaseBefore;
  });

  /** Runs the tests of specs, one after another and that twice, and says what fails. */
  async function failuresOf(...some: readonly Snippet[]): Promise<string[]> {
    const place = openWorkplace([...some, moduleOnPostgres(), shownFile('testing-module.ts', PAGE)]);
    const failures: string[] = [];
    try {
      const tests: Awaited<ReturnType<typeof testsOf>> = [];
      for (const { file } of some) tests.push(...(await testsOf(place, file)));
      for (const [name, run] of [...tests, ...tests])
        await run().catch((error: unknown) => failures.push(`${name}: ${String(error)}`));
    } finally {
      place.close();
    }
    return failures;
  }

  /** That of a gateway signs in anew, and looks at nothing that others leave. */
  const overHttp = specs.filter(({ code }) => code.includes('{ AppModule }') && !code.includes('WsAdapter'));

  it('find the rows of other tests, and of the run before', async () => {
    expect((await failuresOf(...overHttp)).join()).toMatch(/leads from the sign-in to the list of devices/);
  });

  it('pass each time with sessions in memory, and leave no rows', async () => {
    expect(overHttp.map(({ file }) => file)).toEqual(['login.spec.ts', 'expiry.spec.ts']);
    expect(await failuresOf(...overHttp.map(inMemory))).toEqual([]);
    const dataSource = await database.open();
    const tables: unknown = await dataSource.query(
      "SELECT tablename FROM pg_tables WHERE tablename = 'sessions' AND schemaname = current_schema()",
    );
    expect(tables).toEqual([]);
  });

  it('pass each time with a table that is emptied before each', async () => {
    expect(await failuresOf(...overHttp.map(emptied))).toEqual([]);
  });
});

describe.each(APPS)('the app $app, which the configuration "$heading" is tried on,', ({ app, heading }) => {
  it.each(specsOfApps)('has the spec of the page: $file', ({ file, code }) => {
    expect(codeOf(ofApp(app, file))).toBe(codeOf(code));
  });

  it('has the app of the quick start, with a database for tests, and the setup file', () => {
    expect(unformatted(codeOf(ofApp(app, 'app.module.ts')))).toBe(unformatted(codeOf(testedModule().code)));
    expect(codeOf(ofApp(app, 'test/session-key.ts'))).toBe(codeOf(shownFile('session-key.ts', PAGE).code));
  });

  it('has that configuration of Jest', () => {
    const { jest } = JSON.parse(ofApp(app, 'package.json')) as { jest: Record<string, unknown> };
    delete jest['testPathIgnorePatterns']; // which leaves the spec for Vitest to Vitest
    const shown = JSON.parse(
      JSON.stringify(jsonUnder(heading)).replaceAll('<rootDir>/../', '<rootDir>/'),
    ) as Record<string, unknown>;
    for (const key of ['collectCoverageFrom', 'coverageDirectory']) delete shown[key]; // of the starter
    expect({ ...jest, rootDir: '' }).toEqual({ ...shown, rootDir: '' });
  });
});

describe('the configuration of Jest for CommonJS', () => {
  it('compiles the package by the line that `nest add` writes, with pnpm too', () => {
    const { transformIgnorePatterns, ...rest } = jsonUnder('Jest, CommonJS');
    const written = JSON.parse(withCompiledPackage(JSON.stringify(rest), false)) as Record<string, unknown>;
    expect(transformIgnorePatterns).toEqual(written['transformIgnorePatterns']);
    const { text } = Document.read(join(ROOT, 'docs/troubleshooting.md'));
    const line = /^\{ "transformIgnorePatterns".*\}$/m.exec(text)?.[0] ?? '{}';
    expect(JSON.parse(line)).toEqual({ transformIgnorePatterns });
  });
});

describe('the app nest12-esm', () => {
  it('has the spec that only Vitest runs on every Node', () => {
    const { file, code } = shownFile('login-fastify.spec.ts', PAGE);
    expect(codeOf(ofApp('nest12-esm', file))).toBe(codeOf(code));
  });

  it('has the configuration of Vitest, and the command for Jest', () => {
    const shown = shownFile('vitest.config.ts', PAGE);
    expect(codeOf(ofApp('nest12-esm', shown.file))).toBe(codeOf(shown.code));
    const { scripts } = JSON.parse(ofApp('nest12-esm', 'package.json')) as { scripts: { test: string } };
    expect(page.text).toContain(JSON.stringify(scripts.test));
  });
});
