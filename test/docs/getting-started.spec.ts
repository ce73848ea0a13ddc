import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type INestApplication, Logger, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { SessionStore } from 'nest-sessions';
import { signIn } from 'nest-sessions/testing';
import { nestAdd, type Tree } from '../../src/schematics/nest-add.js';
import { ROOT, shownFile } from './compile.js';
import { Document } from './document.js';
import { withoutDataSource, openWorkplace, type Workplace } from './run.js';

Logger.overrideLogger(false);
const PAGE = 'docs/getting-started.md';
const silent = { log: () => undefined, warn: () => undefined, error: () => undefined };

describe('the quick start of getting started', () => {
  it('declares the data that the README declares, which other pages go on with', () => {
    expect(shownFile('session-data.ts', PAGE).code).toBe(shownFile('session-data.ts', 'README.md').code);
  });

  it.each(['app.module.ts', 'main.ts'])(
    'is the one of the README, which snippets.spec.ts runs: %s',
    (file) => {
      expect(shownFile(file, PAGE).code).toBe(shownFile(file, 'README.md').code);
    },
  );

  it('is started on Fastify by the line that is run there', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const [line = ''] =
      /^const app = .*new FastifyAdapter.*$/m.exec(shownFile('main-fastify.ts', PAGE).code) ?? [];
    expect(line).not.toBe('');
    expect(readme).toContain(line);
  });

  it('is installed by the lines of the README', () => {
    const lines = (name: string) =>
      Document.read(join(ROOT, name)).commands.filter((line) => line.startsWith('npm i nest-sessions'));
    expect(lines(PAGE)).toHaveLength(2);
    expect(lines(PAGE)).toEqual(lines('README.md'));
  });
});

/** What `nest add` makes of files, in memory. */
function added(files: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const all = new Map(Object.entries(files));
  const set = (path: string, text: string) => void all.set(path, text);
  const tree: Tree = {
    exists: (path) => all.has(path),
    read: (path) => Buffer.from(all.get(path.replace(/^\//, '')) ?? ''),
    create: set,
    overwrite: set,
    getDir: (folder) => ({
      visit: (visitor) => [...all.keys()].filter((path) => path.startsWith(folder)).forEach(visitor),
    }),
  };
  nestAdd({})(tree, { logger: { info: () => undefined }, addTask: () => undefined });
  return Object.fromEntries(all);
}

describe('what getting started says of `nest add`', () => {
  const { text } = Document.read(join(ROOT, PAGE));
  const [, section = ''] = /^## Or let nest add do it\n([^]*?)\n## /m.exec(text) ?? [];
  const jest = '{ "transform": {} }';
  const starter = {
    'package.json': `{ "dependencies": { "@nestjs/core": "^11.0.0" }, "jest": ${jest} }`,
    'src/main.ts': '',
    'src/app.module.ts': `import { Module } from '@nestjs/common';\n@Module({ imports: [] })\nclass AppModule {}\n`,
    'test/jest-e2e.json': jest,
  };
  const files = added(starter);

  it('names every file that it changes, and no other', () => {
    const before: Readonly<Record<string, string>> = starter;
    const changed = Object.keys(files).filter((path) => files[path] !== before[path]);
    const rows = [...section.matchAll(/^\| (.*?) \|/gm)].map(([, row = '']) => row).slice(2);
    const named = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));
    const paths = named.map((name) => name.replace(/^main\.ts$/, 'src/app.module.ts')); // what it starts
    expect(new Set(paths)).toEqual(new Set(changed));
  });

  it.each([
    ["import './load-env'", 'src/app.module.ts'],
    ["dataSource: { type: 'sqlite', database: 'sessions.sqlite' }", 'src/app.module.ts'],
    ['key: process.env.SESSION_KEY', 'src/app.module.ts'],
    ['sessions.sqlite*', '.gitignore'],
    ['@nestjs/typeorm', 'package.json'],
    ['@nestjs/schedule', 'package.json'],
    ['@nestjs/terminus', 'package.json'],
    ['sqlite3', 'package.json'],
    ['transformIgnorePatterns', 'package.json'],
    ['transformIgnorePatterns', 'test/jest-e2e.json'],
  ])('is what it does: %s in %s', (piece, file) => {
    expect(section).toContain(piece);
    expect(files[file]).toContain(piece);
  });

  it('is what it does to an ESM app, and to one that has TypeORM', () => {
    const esm = added({
      ...starter,
      'package.json': '{ "type": "module" }',
      'src/data.ts': 'TypeOrmModule.forRootAsync({})',
    });
    expect(section).toContain("`import './load-env.js'`");
    expect(esm['src/app.module.ts']).toMatch(/^import '\.\/load-env\.js';/);
    expect(esm['src/app.module.ts']).not.toContain('dataSource');
  });

  it('is what a second run does: nothing', () => {
    expect(section).toContain('A second run changes nothing');
    expect(added(files)).toEqual(files);
  });
});

describe('the module that reads its key with ConfigService', () => {
  const keyBefore = process.env['SESSION_KEY'];
  let place: Workplace;
  let app: INestApplication | undefined;

  beforeEach(() => {
    delete process.env['SESSION_KEY'];
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
    place.close();
    process.env['SESSION_KEY'] = keyBefore;
  });

  async function start(env: string, file = shownFile('configured.module.ts', PAGE)) {
    place = openWorkplace([file]);
    writeFileSync(join(place.path, '.env'), env);
    const { ConfiguredModule } = (await place.run('configured.module.ts')) as { ConfiguredModule: Type };
    const testing = await Test.createTestingModule({ imports: [ConfiguredModule] })
      .setLogger(silent)
      .compile();
    app = await testing.createNestApplication().init();
    return app;
  }

  it('finds it in .env, and signs users in', async () => {
    const started = await start(`SESSION_KEY=${randomBytes(32).toString('base64url')}\n`);
    expect(started.get(SessionStore).config.ttl).toBe(8 * 60 * 60 * 1000);
    expect((await signIn(started, 'ada')).cookie).toMatch(/^__Host-sid=/);
    expect(existsSync(join(place.path, 'app.sessions.sqlite'))).toBe(true);
  });

  it('does not start without it', async () => {
    await expect(start('', withoutDataSource(shownFile('configured.module.ts', PAGE)))).rejects.toThrow(
      'SESSION_KEY',
    );
  });
});
