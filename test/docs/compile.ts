import { readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { Document, type Snippet } from './document.js';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
/** Every document that the checks hold to the code. */
export const DOCUMENTS = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(join(ROOT, 'docs')).flatMap((file) => (file.endsWith('.md') ? `docs/${file}` : [])),
];
const PRELUDES = join(ROOT, 'test/docs/prelude');
/** Where the snippets pretend to lie: those of an app side by side in a folder, so that they can import each other. */
const PLACE = join(ROOT, 'test/docs/snippets');

/** A snippet that is shown as a file, and the document that shows it. */
export interface ShownFile extends Snippet {
  readonly document: string;
}

const SHOWN: readonly ShownFile[] = DOCUMENTS.flatMap((document) =>
  Document.read(join(ROOT, document))
    .snippets.filter(({ isNamed }) => isNamed)
    .map((snippet) => ({ ...snippet, document })),
);

/** The page whose app the others go on with. */
const COMMON = 'docs/getting-started.md';

/**
 * The file that the pages show under this name: a page's own, else the one of {@link COMMON}, else that of the only page
 * that has it. What the README shows is there again.
 *
 * @param document the page that looks for it
 * @throws Error when no page shows it, or more than one and none of them comes first
 */
export function shownFile(file: string, document?: string): ShownFile {
  const all = SHOWN.filter((one) => one.file === file);
  const first = [document, COMMON].flatMap((name) => all.find((one) => one.document === name) ?? []);
  const others = all.filter((one) => one.document !== 'README.md');
  const [found] = first.length > 0 || others.length !== 1 ? first : others;
  if (found) return found;
  const places = others.map((one) => one.document).join(', ') || 'none';
  throw new Error(`Expected one page to show ${file}, got ${places}`);
}

/** The files of other pages that snippets of one page import, directly or by way of each other. */
export function importedFiles(snippets: readonly Snippet[], document?: string): ShownFile[] {
  const found = new Map<string, ShownFile>();
  const own = new Set(snippets.map(({ file }) => file));
  const follow = ({ code }: Snippet): void => {
    for (const [, name = ''] of code.matchAll(/from '\.\/([\w.-]+)\.js'/g)) {
      const file = `${name}.ts`;
      if (own.has(file) || found.has(file)) continue;
      const shown = shownFile(file, document);
      found.set(file, shown);
      follow(shown);
    }
  };
  snippets.forEach(follow);
  return [...found.values()];
}

/** The code of a snippet, with an import of what it uses of its preludes put into its first line. */
export function withPreludes({ code, preludes }: Snippet, pathOf = preludePath): string {
  const places = preludes.map((name) => ({ from: pathOf(name), names: exportsOf(fileOf(name)) }));
  return importsFor(code, places) + code;
}

/** Imports, in one line, of what code names without declaring it, from the places that export it. */
export function importsFor(
  code: string,
  places: readonly { readonly from: string; readonly names: readonly string[] }[],
): string {
  const free = freeNames(code);
  return places
    .map(({ from, names }) => ({ from, used: names.filter((name) => free.has(name)) }))
    .filter(({ used }) => used.length > 0)
    .map(({ from, used }) => `import { ${used.join(', ')} } from '${from}'; `)
    .join('');
}

/** Names that code refers to and declares nowhere. A name that is declared anywhere in it is its own. */
function freeNames(code: string): ReadonlySet<string> {
  const [named, declared] = [new Set<string>(), new Set<string>()];
  const look = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && !isNameOfMember(node)) (isDeclared(node) ? declared : named).add(node.text);
    ts.forEachChild(node, look);
  };
  look(ts.createSourceFile('code.ts', code, ts.ScriptTarget.Latest, true));
  return new Set([...named].filter((name) => !declared.has(name)));
}

/** `b` of `a.b`, of `{ b: 1 }` and of a class with a member `b`: it is looked up in an object, not in the module. */
function isNameOfMember(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isQualifiedName(parent)) return parent.right === node;
  if (ts.isBindingElement(parent)) return parent.propertyName === node;
  const isMember =
    ts.isPropertyAccessExpression(parent) ||
    ts.isPropertyAssignment(parent) ||
    ts.isClassElement(parent) ||
    ts.isTypeElement(parent);
  return isMember && parent.name === node;
}

function isDeclared(node: ts.Identifier): boolean {
  const { parent } = node;
  const declares =
    ts.isVariableDeclaration(parent) ||
    ts.isParameter(parent) ||
    ts.isBindingElement(parent) ||
    ts.isClassDeclaration(parent) ||
    ts.isFunctionDeclaration(parent) ||
    ts.isInterfaceDeclaration(parent) ||
    ts.isTypeAliasDeclaration(parent) ||
    ts.isTypeParameterDeclaration(parent) ||
    ts.isImportClause(parent) ||
    ts.isImportSpecifier(parent) ||
    ts.isNamespaceImport(parent);
  return declares && parent.name === node;
}

function preludePath(name: string): string {
  return `../../prelude/${name}.js`;
}

function fileOf(prelude: string): string {
  return `test/docs/prelude/${prelude}.ts`;
}

/**
 * Names that a file exports: declared there, or handed on by a list.
 *
 * @param file path below the root of the repository
 */
export function exportsOf(file: string): string[] {
  const text = ts.sys.readFile(join(ROOT, file));
  if (text === undefined) throw new Error(`There is no ${file}`);
  const { statements } = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  return statements.flatMap((one) => {
    if (ts.isExportDeclaration(one))
      return one.exportClause && ts.isNamedExports(one.exportClause)
        ? one.exportClause.elements.map(({ name }) => name.text)
        : [];
    const modifiers = ts.canHaveModifiers(one) ? ts.getModifiers(one) : undefined;
    if (!modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return [];
    const declared = ts.isVariableStatement(one) ? one.declarationList.declarations : [one];
    return declared.flatMap(
      (declaration) => ts.getNameOfDeclaration(declaration as ts.Declaration)?.getText() ?? [],
    );
  });
}

/** Sources and declarations that have been read: the same for all snippets. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** Snippets that are files of one app, and what each of them is from. */
interface App {
  readonly files: ReadonlyMap<string, { readonly snippet: Snippet; readonly from: string }>;
  /** What they import of other pages: compiled with them, and checked where it is shown. */
  readonly context: ReadonlyMap<string, Snippet>;
}

/**
 * Type-checks snippets against the sources, with the compiler options of the repository, as the files of one app. It has
 * the data of [getting started](../../docs/getting-started.md#declare-your-data), and the files of other pages that the
 * snippets import.
 *
 * @param document what the snippets are from, or what each of them is from
 * @returns what the compiler says, with lines of the document
 */
export function typeErrors<S extends Snippet>(
  document: string | ((snippet: S) => string),
  snippets: readonly S[],
): string[] {
  return errorsOf([appOf(document, snippets)]);
}

/**
 * Type-checks the snippets of documents, those of each as an app of its own.
 *
 * @returns what the compiler says, by document
 */
export function typeErrorsByDocument(names: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const documents = names.map((name) => ({ name, snippets: Document.read(join(ROOT, name)).snippets }));
  const declareTheirOwn = documents.filter(({ snippets }) =>
    snippets.some(({ file }) => file === 'session-data.ts'),
  );
  // What a program declares of SessionData holds in all of it. Those that declare nothing share one, for speed.
  const programs = [
    documents.filter((one) => !declareTheirOwn.includes(one)),
    ...declareTheirOwn.map((one) => [one]),
  ];
  const errors = programs.flatMap((some) =>
    errorsOf(some.map(({ name, snippets }) => appOf(name, snippets))),
  );
  return new Map(names.map((name) => [name, errors.filter((error) => error.startsWith(`${name}:`))]));
}

function appOf<S extends Snippet>(document: string | ((snippet: S) => string), snippets: readonly S[]): App {
  const from = (snippet: S) => (typeof document === 'string' ? document : document(snippet));
  const name = typeof document === 'string' ? document : undefined;
  const folder = join(PLACE, (name ?? 'examples').replaceAll(/\W/g, '-'));
  const shown = [...importedFiles(snippets, name), shownFile('session-data.ts', name)];
  return {
    files: new Map(snippets.map((snippet) => [join(folder, snippet.file), { snippet, from: from(snippet) }])),
    context: new Map(shown.map((one) => [join(folder, one.file), one])),
  };
}

function errorsOf(apps: readonly App[]): string[] {
  const files = new Map(apps.flatMap((app) => [...app.files]));
  const context = apps.flatMap((app) => [...app.context]);
  const snippets = new Map([...files].map(([path, { snippet }]) => [path, snippet]));
  const all: ReadonlyMap<string, Snippet> = new Map<string, Snippet>([...context, ...snippets]);
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const shims = ts.sys.readDirectory(PRELUDES, ['.d.ts']);
  const program = ts.createProgram([...all.keys(), ...shims], options, hostWith(all, options));
  return [...files].flatMap(([path, { snippet, from }]) => {
    const source = program.getSourceFile(path);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ start = 0, messageText }) => {
      const line = snippet.line + (source?.getLineAndCharacterOfPosition(start).line ?? 0);
      return `${from}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
  });
}

/** The files of the machine, and the snippets beside them. */
function hostWith(files: ReadonlyMap<string, Snippet>, options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const folders = new Set([...files.keys()].map((path) => dirname(path)));
  return {
    ...host,
    fileExists: (path) => files.has(path) || host.fileExists(path),
    directoryExists: (path) => folders.has(path) || path === PLACE || (host.directoryExists?.(path) ?? true),
    getSourceFile(path, languageVersion, ...rest) {
      const snippet = files.get(path);
      if (snippet) return ts.createSourceFile(path, moduleOf(snippet), languageVersion);
      if (!parsed.has(path)) parsed.set(path, host.getSourceFile(path, languageVersion, ...rest));
      return parsed.get(path);
    },
  };
}

/** Without an import or export it would be a script, and share its names with the others. */
function moduleOf(snippet: Snippet): string {
  return `${withPreludes(snippet)}\nexport {};\n`;
}
