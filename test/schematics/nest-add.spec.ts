import { type Context, nestAdd, type NestAddOptions, type Tree } from '../../src/schematics/nest-add.js';

/** Files in memory, as strict as the devkit's. That Nest's CLI runs it on real ones, scripts/check-starters.sh shows. */
class Files implements Tree {
  readonly #files = new Map<string, Buffer>();

  exists = (path: string): boolean => this.#files.has(path);
  read = (path: string): Buffer | null => this.#files.get(path.replace(/^\//, '')) ?? null;

  create(path: string, content: string): void {
    if (this.exists(path)) throw new Error(`${path} exists`);
    this.#files.set(path, Buffer.from(content));
  }

  overwrite(path: string, content: string): void {
    if (!this.exists(path)) throw new Error(`${path} does not exist`);
    this.#files.set(path, Buffer.from(content));
  }

  getDir(folder: string) {
    const paths = [...this.#files.keys()].filter((path) => path.startsWith(`${folder}/`));
    return { visit: (visitor: (path: string) => void) => paths.forEach((path) => visitor(`/${path}`)) };
  }
}

const MAIN = `import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';
void NestFactory.create(AppModule);
`;
const MODULE = `import { Module } from '@nestjs/common';

@Module({ imports: [] })
export class AppModule {}
`;
const PACKAGE = '{ "dependencies": { "@nestjs/core": "^11.0.0" } }';

/** An app with these files, beside those of a starter; `null`: without one of those. */
function app(files: Readonly<Record<string, string | null>> = {}) {
  const tree = new Files();
  const all = { 'src/main.ts': MAIN, 'src/app.module.ts': MODULE, 'package.json': PACKAGE, ...files };
  for (const [path, text] of Object.entries(all)) if (text !== null) tree.create(path, text);
  const log: string[] = [];
  const tasks: object[] = [];
  const context: Context = {
    logger: { info: (message) => log.push(message) },
    addTask: (task) => tasks.push(task.toConfiguration()),
  };
  const read = (path: string): string | null => {
    const content = tree.read(path);
    return content && Buffer.from(content).toString();
  };
  return { log, tasks, read, add: (options: NestAddOptions = {}) => nestAdd(options)(tree, context) };
}

describe('nest add nest-sessions', () => {
  it('imports the module, makes a key, and says what comes next without saying the key', () => {
    const { add, read, log, tasks } = app();
    add();
    expect(read('src/app.module.ts')).toMatch(/^import '\.\/load-env';\n/);
    expect(read('src/app.module.ts')).toContain(
      "dataSource: { type: 'sqlite', database: 'sessions.sqlite' }",
    );
    expect(read('src/load-env.ts')).toContain('parseEnv(readFileSync(');
    const [, key = ''] = /^SESSION_KEY=([\w-]{43})\n$/.exec(read('.env') ?? '') ?? [];
    expect(key).not.toBe('');
    expect(read('.gitignore')).toBe('.env\nsessions.sqlite*\n');
    expect(read('package.json')).toContain('"sqlite3"');
    expect(tasks).toEqual([
      { name: 'node-package', options: { command: 'install', quiet: true, allowScripts: true } },
    ]);
    expect(log.join('\n')).toContain('await session.authenticate(user.id)');
    expect(log.join('\n')).not.toContain(key);
  });

  it('changes nothing the second time, and says so', () => {
    const { add, read, log, tasks } = app();
    add();
    const files = ['src/app.module.ts', 'src/load-env.ts', '.env', '.gitignore', 'package.json'];
    const before = files.map(read);
    add();
    expect(files.map(read)).toEqual(before);
    expect(tasks).toHaveLength(1);
    expect(log.at(-1)).toBe('src/app.module.ts imports SessionModule already: nothing has been changed.');
  });

  it('changes nothing where another module has it', () => {
    const { add, read, log } = app({
      'src/auth/auth.module.ts': "import { SessionModule } from 'nest-sessions';\n",
    });
    add();
    expect(log).toEqual(['src/auth/auth.module.ts imports SessionModule already: nothing has been changed.']);
    expect([read('src/app.module.ts'), read('.env'), read('package.json')]).toEqual([MODULE, null, PACKAGE]);
  });

  it('never replaces or prints a key that is there', () => {
    const { add, read, log } = app({ '.env': 'SESSION_KEY=of-the-owner\n' });
    add();
    expect(read('.env')).toBe('SESSION_KEY=of-the-owner\n');
    expect(log.join('\n')).not.toContain('of-the-owner');
  });

  it("keeps sessions in the app's own database where it has one", () => {
    const { add, read } = app({
      'src/database.module.ts': 'export const database = TypeOrmModule.forRootAsync({});\n',
    });
    add();
    expect(read('src/app.module.ts')).not.toContain('dataSource');
    expect(read('package.json')).not.toContain('sqlite3');
    expect(read('.gitignore')).toBe('.env\n');
  });

  it('names files with .js where the app is ESM', () => {
    const { add, read } = app({ 'package.json': '{ "type": "module" }' });
    add();
    expect(read('src/app.module.ts')).toMatch(/^import '\.\/load-env\.js';\n/);
  });

  it('has the Jest of a CommonJS app compile the package', () => {
    const jest = '{ "transform": { "^.+\\\\.ts$": "ts-jest" } }';
    const files = { 'package.json': `{ "jest": ${jest} }`, 'test/jest-e2e.json': jest };
    const { add, read } = app(files);
    add();
    for (const file of Object.keys(files)) expect(read(file)).toContain('transformIgnorePatterns');

    const esm = app({ ...files, 'package.json': `{ "type": "module", "jest": ${jest} }` });
    esm.add();
    for (const file of Object.keys(files)) expect(esm.read(file)).not.toContain('transformIgnorePatterns');
  });

  it('looks where nest-cli.json says that the sources are', () => {
    const { add, read } = app({
      'src/main.ts': null,
      'src/app.module.ts': null,
      'apps/api/src/main.ts': MAIN.replace('./app.module', './root/root.module'),
      'apps/api/src/root/root.module.ts': MODULE,
    });
    add({ sourceRoot: 'apps/api/src' });
    expect(read('apps/api/src/root/root.module.ts')).toMatch(/^import '\.\.\/load-env';\n/);
    expect(read('apps/api/src/load-env.ts')).not.toBeNull();
  });

  it('installs nothing when it is told to leave that', () => {
    const { add, tasks, log } = app();
    add({ skipInstall: true });
    expect(tasks).toEqual([]);
    expect(log.join()).toContain('package.json has new dependencies: install them.');
  });

  it('says what to do by hand when there is no app module', () => {
    const { add, read } = app({ 'src/app.module.ts': null });
    expect(add).toThrow(
      /^Expected the app module to be what src\/main\.ts starts, or src\/app\.module\.ts\. Add Session/,
    );
    expect(read('.env')).toBeNull();
  });

  it('says what to do by hand when it cannot add to the module', () => {
    const { add, read } = app({ 'src/app.module.ts': MODULE.replace('[]', 'modules') });
    expect(add).toThrow(
      /^src\/app\.module\.ts has no @Module\({ imports: \[ … \] }\) that can be added to\. Add Session/,
    );
    expect([read('.env'), read('src/load-env.ts'), read('package.json')]).toEqual([null, null, PACKAGE]);
  });
});
