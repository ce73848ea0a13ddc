import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { posix, resolve } from 'node:path';
import type ts from 'typescript';
import { appModulePath, importsSessionModule, withSessionModule } from './app-module.js';
import { type Manifest, missingDependencies, withDependencies } from './dependencies.js';
import { withIgnored, withSessionKey } from './env-file.js';
import { withCompiledPackage } from './jest-config.js';

/*
 * `nest add nest-sessions`: Nest's CLI installs the package, and then runs this on the files of the app. The devkit of
 * schematics belongs to the CLI, so its types are described here, as far as they are needed.
 */

/** The files of the app, as they will be once all of this has gone well. */
export interface Tree {
  exists(path: string): boolean;
  /** `null` when there is no such file. */
  read(path: string): Uint8Array | null;
  create(path: string, content: string): void;
  overwrite(path: string, content: string): void;
  getDir(path: string): { visit(visitor: (path: string) => void): void };
}

/** What a schematic may do beside changing files. */
export interface Context {
  readonly logger: { info(message: string): void };
  addTask(task: { toConfiguration(): { name: string; options: object } }): unknown;
}

/** The options of `nest add nest-sessions`. */
export interface NestAddOptions {
  /** Where the sources are, as nest-cli.json says. @default 'src' */
  readonly sourceRoot?: string;
  /** Whether the dependencies that package.json gets are left to be installed later. @default false */
  readonly skipInstall?: boolean;
}

/** The data source of an app that has none: a file of its own, for which no server is needed. */
const DATABASE = 'sessions.sqlite';
/** Where the starter of Nest 11 configures Jest for its tests over HTTP. */
const E2E_CONFIG = 'test/jest-e2e.json';
/** Not `process.loadEnvFile()`: that sets the variables of the process, of which Jest gives tests a copy. */
const LOAD_ENV = `import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

// Imported before all else, so that process.env has what .env says. What the environment says itself goes first.
if (existsSync('.env')) {
  for (const [name, value] of Object.entries(parseEnv(readFileSync('.env', 'utf8')))) process.env[name] ??= value;
}
`;

/**
 * Imports `SessionModule` into the app module, with a new key in `.env` and what loads it, adds the dependencies that are
 * missing, and has the Jest of a CommonJS app compile this package. An app whose sources import `SessionModule` already
 * stays as it is; so does a `SESSION_KEY` in `.env`. The key is not printed. Files are changed all at once or, when
 * something fails, not at all.
 *
 * @throws Error when the app module cannot be found, or its `imports` are not a list that is written out; it says what to
 *   do by hand
 */
export function nestAdd({ sourceRoot = 'src', skipInstall = false }: NestAddOptions) {
  return (tree: Tree, context: Context): void => {
    const compiler = compilerOfApp();
    const sources = sourcesBelow(tree, sourceRoot);
    const imported = [...sources].find(([, text]) => importsSessionModule(compiler, text));
    if (imported !== undefined) {
      context.logger.info(`${imported[0]} imports SessionModule already: nothing has been changed.`);
      return;
    }

    const path = findAppModule(compiler, tree, sourceRoot);
    const app = manifestOf(readText(tree, 'package.json'));
    const hasTypeOrm = [...sources.values()].some((text) => /\bTypeOrmModule\s*\.\s*forRoot/.test(text));
    const loader = posix.join(sourceRoot, 'load-env.ts');
    const changed = withSessionModule(compiler, readText(tree, path) ?? '', {
      lines: [
        'SessionModule.forRoot({',
        '  key: process.env.SESSION_KEY,',
        ...(hasTypeOrm ? [] : [`  dataSource: { type: 'sqlite', database: '${DATABASE}' },`]),
        '})',
      ],
      before: relativeImport(path, loader, app.type === 'module' || importsWithExtension(sources)),
    });
    if (changed === null)
      throw new Error(`${path} has no @Module({ imports: [ … ] }) that can be added to. ${BY_HAND}`);

    write(tree, path, changed);
    if (!tree.exists(loader)) write(tree, loader, LOAD_ENV);
    write(tree, '.env', withSessionKey(readText(tree, '.env'), randomBytes(32).toString('base64url')));
    const ignored = ['.env', ...(hasTypeOrm ? [] : [`${DATABASE}*`])];
    write(tree, '.gitignore', withIgnored(readText(tree, '.gitignore'), ignored));
    const added = missingDependencies(app, ownManifest(), !hasTypeOrm);
    write(tree, 'package.json', withDependencies(readText(tree, 'package.json') ?? '{}', added));
    if (app.type !== 'module') for (const file of ['package.json', E2E_CONFIG]) compilePackage(tree, file);
    if (!skipInstall && Object.keys(added).length > 0) context.addTask(INSTALL);
    const isInstalled = !skipInstall || Object.keys(added).length === 0;
    context.logger.info(nextSteps(path, loader, hasTypeOrm, isInstalled));
  };
}

const BY_HAND =
  'Add SessionModule.forRoot({ key: process.env.SESSION_KEY }) to the imports of your root module by hand: nothing has been changed.';

/** With scripts, because the driver of SQLite is built by one: without it the app would not start. */
const INSTALL = {
  toConfiguration: () => ({
    name: 'node-package',
    options: { command: 'install', quiet: true, allowScripts: true },
  }),
};

function nextSteps(path: string, loader: string, hasTypeOrm: boolean, isInstalled: boolean): string {
  const store = hasTypeOrm ? "the app's own database" : DATABASE;
  return [
    `SessionModule is in ${path}; sessions are kept in ${store}.`,
    `The key is SESSION_KEY in .env, which ${loader} loads and Git ignores. In production, set it in the environment.`,
    ...(isInstalled ? [] : ['package.json has new dependencies: install them.']),
    'Next: `@Session() session: Session` in a handler, `await session.authenticate(user.id)` once the password is right,',
    'and `@RequireAuth()` on what only signed-in users may do.',
  ].join('\n');
}

/** The compiler that the app is built with; this package has none of its own. */
function compilerOfApp(): typeof ts {
  try {
    return createRequire(resolve('package.json'))('typescript') as typeof ts;
  } catch (cause) {
    throw new Error(`Expected the app to have the package typescript. ${BY_HAND}`, { cause });
  }
}

function ownManifest(): Manifest {
  return createRequire(import.meta.url)('../../package.json') as Manifest;
}

function manifestOf(text: string | null): Manifest & { readonly type?: string } {
  return JSON.parse(text ?? '{}') as Manifest & { readonly type?: string };
}

/** Sources below a folder, by path, without declarations and tests. */
function sourcesBelow(tree: Tree, folder: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  tree.getDir(folder).visit((path) => {
    const isSource = path.endsWith('.ts') && !/(\.d|[.-]spec|[.-]test)\.ts$|\/node_modules\//.test(path);
    if (isSource) found.set(path.replace(/^\//, ''), readText(tree, path) ?? '');
  });
  return found;
}

/** The module that main.ts starts; without one, the file that Nest's starter has it in. */
function findAppModule(compiler: typeof ts, tree: Tree, sourceRoot: string): string {
  const main = posix.join(sourceRoot, 'main.ts');
  const usual = posix.join(sourceRoot, 'app.module.ts');
  const started = appModulePath(compiler, readText(tree, main) ?? '', main);
  const path = [started, usual].find((one) => one !== null && tree.exists(one));
  if (path === undefined || path === null)
    throw new Error(`Expected the app module to be what ${main} starts, or ${usual}. ${BY_HAND}`);
  return path;
}

/** Whether the sources name each other with `.js`, as ESM has to. */
function importsWithExtension(sources: ReadonlyMap<string, string>): boolean {
  return [...sources.values()].some((text) => /from\s*['"]\.{1,2}\/[^'"]*\.js['"]/.test(text));
}

/** How one file names another: `'./load-env.js'`. */
function relativeImport(from: string, to: string, hasExtension: boolean): string {
  const path = posix.relative(posix.dirname(from), to).replace(/\.ts$/, hasExtension ? '.js' : '');
  return path.startsWith('.') ? path : `./${path}`;
}

/** Has Jest compile this package, where it is configured in that file. */
function compilePackage(tree: Tree, file: string): void {
  const text = readText(tree, file);
  if (text !== null) write(tree, file, withCompiledPackage(text, file === 'package.json'));
}

function readText(tree: Tree, path: string): string | null {
  const content = tree.read(path);
  return content === null ? null : Buffer.from(content).toString('utf8');
}

/** Writes a file that is new or different. */
function write(tree: Tree, path: string, text: string): void {
  if (!tree.exists(path)) tree.create(path, text);
  else if (readText(tree, path) !== text) tree.overwrite(path, text);
}
