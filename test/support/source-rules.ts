import { posix } from 'node:path';
import ts from 'typescript';

/** Sources by path below `src`, with forward slashes. */
export type Sources = ReadonlyMap<string, string>;

/** What one room may import: other rooms, as folders or files below `src`, and packages. */
interface Room {
  readonly rooms: readonly string[];
  readonly packages: readonly RegExp[];
}

const NODE = /^node:/;
const NEST = /^@nestjs\/(common|core)$/;

/** Which room may import what. A file belongs to the room whose path it begins with. */
const ROOMS: Readonly<Record<string, Room>> = {
  'core/': { rooms: ['core/'], packages: [NODE, /^(ms|ulid)$/] },
  ...roomsInARow([
    ['http/platform/', /^bowser$/],
    ['http/errors/', /^@nestjs\/websockets$/], // `WsException` is what gateways are refused with, in apps that have them
    ['http/security/', /^$/],
    ['http/response/', /^cookie$/],
    ['http/http-options.ts', /^$/],
    ['http/session.interface.ts', /^$/],
    ['http/session/', /^$/],
    ['http/request/', /^$/],
    ['http/express-session/', /^$/],
    ['http/sockets/', /^rxjs$/],
    ['http/', /^rxjs$/],
  ]),
  'backends/memory/': { rooms: ['backends/memory/', 'core/'], packages: [NODE] },
  'backends/typeorm/': { rooms: ['backends/typeorm/', 'core/'], packages: [NODE, /^typeorm$/] },
  'backends/redis/': { rooms: ['backends/redis/', 'core/'], packages: [NODE, /^ioredis$/] },
  'ops/': { rooms: ['ops/', 'core/'], packages: [NODE, NEST, /^@nestjs\/(schedule|terminus)$/, /^cron$/] },
  'testing/': { rooms: ['testing/', 'core/', 'http/', 'backends/memory/'], packages: [NODE, NEST] },
  'schematics/': { rooms: ['schematics/'], packages: [NODE, /^typescript$/] },
  'session.module.ts': everything(['session.options.ts', 'session.providers.ts']),
  'session.providers.ts': everything(['session.options.ts', 'session.data-source.ts']),
  'session.data-source.ts': everything([]),
  'session.options.ts': everything([]),
  'index.ts': { rooms: [...everything([]).rooms, 'session.'], packages: [] },
};

/** Rooms of which each may import `core`, Nest, its own packages, and those before it. */
function roomsInARow(row: readonly (readonly [path: string, packages: RegExp])[]): Record<string, Room> {
  return Object.fromEntries(
    row.map(([path, packages], index) => [
      path,
      {
        rooms: ['core/', ...row.slice(0, index + 1).map(([before]) => before)],
        packages: [NODE, NEST, packages],
      },
    ]),
  );
}

function everything(others: readonly string[]): Room {
  return {
    rooms: [...others, 'core/', 'http/', 'backends/', 'ops/'],
    packages: [NODE, NEST, /^(@nestjs\/)?typeorm$/],
  };
}

/** Imports that no arrow allows, as sentences. */
export function forbiddenArrows(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) => {
    const name = Object.keys(ROOMS).find((path) => file.startsWith(path));
    const room = name === undefined ? undefined : ROOMS[name];
    if (room === undefined) return [`${file} is in no room`];
    return importsOf(text)
      .filter((target) => !isAllowed(room, file, target))
      .map((target) => `${file} imports ${target.startsWith('.') ? resolved(file, target) : target}`);
  });
}

function isAllowed({ rooms, packages }: Room, file: string, target: string): boolean {
  if (!target.startsWith('.')) return packages.some((pattern) => pattern.test(target));
  return rooms.some((room) => resolved(file, target).startsWith(room));
}

/** Every module that a source names: imports, re-exports, `import()`, types or not. */
export function importsOf(text: string): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
}

function resolved(file: string, target: string): string {
  return posix.join(posix.dirname(file), target).replace(/\.js$/, '.ts');
}

/** Circles of imports, types or not, each once: `a.ts → b.ts → a.ts`. */
export function circles(sources: Sources): string[] {
  const found = new Map<string, string>();
  const done = new Set<string>();
  const walk = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) {
      const circle = path.slice(start);
      found.set(circle.toSorted().join(), [...circle, file].join(' → '));
    }
    if (start >= 0 || done.has(file)) return;
    for (const target of importsOf(sources.get(file) ?? '')) {
      if (target.startsWith('.')) walk(resolved(file, target), [...path, file]);
    }
    done.add(file);
  };
  for (const file of sources.keys()) walk(file, []);
  return [...found.values()];
}

/** What fakes replace. */
const TIMERS = /^(set|clear)(Timeout|Immediate|Interval)$|^(nextTick|queueMicrotask|performance)$/;

/** Files that may use the timers of the process: what owns time, and what runs in the background on the app's own. */
const OWNERS_OF_TIME = ['core/timers.ts', 'core/session-pruning.ts'];

/** Uses of timers that a test of the app may have replaced, where time as Node keeps it is meant. */
export function replaceableTimers(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) => {
    if (OWNERS_OF_TIME.includes(file)) return [];
    const source = parse(file, text);
    const ours = new Set<string>();
    const found = importsOf(text).filter((target) => /^(node:)?(timers|perf_hooks)/.test(target));
    const look = (node: ts.Node): void => {
      if (ts.isImportDeclaration(node)) {
        const isOurs = node.moduleSpecifier.getText(source).endsWith("/timers.js'");
        const names = node.importClause?.namedBindings;
        if (isOurs && names && ts.isNamedImports(names))
          for (const { name } of names.elements) ours.add(name.text);
        return;
      }
      if (ts.isIdentifier(node) && TIMERS.test(node.text) && !ours.has(node.text)) {
        const { parent } = node;
        const owner =
          ts.isPropertyAccessExpression(parent) && parent.name === node ? parent.expression : null;
        if (owner === null || /^(process|globalThis)$/.test(owner.getText(source))) found.push(node.text);
      }
      ts.forEachChild(node, look);
    };
    look(source);
    return found.map((name) => `${file}: ${name}`);
  });
}

/** `export default` and `export *`: names that nobody chose. */
export function unnamedExports(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) =>
    parse(file, text)
      .statements.filter((one) => ts.isExportAssignment(one) || isStar(one) || hasDefaultModifier(one))
      .map((one) => `${file}: ${one.getText().split('\n', 1)[0]}`),
  );
}

function parse(file: string, text: string): ts.SourceFile {
  return ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true);
}

function isStar(statement: ts.Statement): boolean {
  return (
    ts.isExportDeclaration(statement) &&
    !(statement.exportClause && ts.isNamedExports(statement.exportClause))
  );
}

function hasDefaultModifier(statement: ts.Statement): boolean {
  const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
  return modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword) ?? false;
}

/** Exports of entry points whose declaration, in whatever file, has no doc comment. */
export function undocumentedExports(entries: readonly string[], host?: ts.CompilerHost): string[] {
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    noLib: true,
    noResolve: false,
    types: [],
  };
  const program = ts.createProgram([...entries], options, host);
  const checker = program.getTypeChecker();
  return entries.flatMap((entry) => {
    const source = program.getSourceFile(entry);
    const module = source && checker.getSymbolAtLocation(source);
    const exported = module ? checker.getExportsOfModule(module) : [];
    return exported.filter((symbol) => !isDocumented(symbol, checker)).map(({ name }) => name);
  });
}

function isDocumented(symbol: ts.Symbol, checker: ts.TypeChecker): boolean {
  const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
  const declarations = (isAlias ? checker.getAliasedSymbol(symbol) : symbol).declarations ?? [];
  return (
    declarations.length > 0 && declarations.every((one) => ts.getJSDocCommentsAndTags(one).some(hasText))
  );
}

function hasText({ comment }: ts.JSDoc | ts.JSDocTag): boolean {
  return typeof comment === 'string' ? comment.trim() !== '' : comment !== undefined;
}

/** Specs that mirror no source: they cross rooms, or are about the whole. */
const BESIDE_THE_MIRROR =
  /(^|\/)behaviour\/|^((e2e|interleaving|docs|support|apps|repository)\/|(architecture|docs|types)\.spec\.ts$)/;

/**
 * Specs that do not lie as their sources do, each with where it should be. `core/key-ring.ts` is shown by
 * `core/key-ring.spec.ts` and, part by part, `core/key-ring.rotation.spec.ts` or `core/key-ring-rotation.spec.ts`; what
 * is about a folder has its name, `core.spec.ts`. `members` are names that a room's specs may have too, by room.
 */
export function misplacedSpecs(
  specs: readonly string[],
  sources: readonly string[],
  members: Readonly<Record<string, readonly string[]>> = {},
): string[] {
  const folders = new Set(sources.map((file) => posix.dirname(file)));
  return specs
    .filter((spec) => spec.endsWith('.spec.ts') && !BESIDE_THE_MIRROR.test(spec))
    .flatMap((spec) => {
      const room = posix.dirname(spec);
      const name = posix.basename(spec).replace(/(\.matrix)?\.spec\.ts$/, '');
      const files = sources.filter((file) => isNamed(name, posix.basename(file, '.ts')));
      const isThere =
        files.some((file) => posix.dirname(file) === room) ||
        folders.has(posix.join(room, name.split('.', 1)[0] ?? '')) ||
        (members[room] ?? []).some((member) => isNamed(name, member));
      if (isThere) return [];
      const [closest] = files.toSorted((a, b) => posix.basename(b).length - posix.basename(a).length);
      return closest === undefined
        ? `test/${spec}: nothing in src/${room} has that name; what crosses rooms is in test/behaviour`
        : `test/${spec} should be test/${posix.join(posix.dirname(closest), posix.basename(spec))}`;
    });
}

/** `session-store.read` and `session-store-read` are named for `session-store`. */
function isNamed(spec: string, source: string): boolean {
  return spec.startsWith(source) && /^($|[.-])/.test(spec.slice(source.length));
}
