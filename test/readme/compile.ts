import { readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import type { Snippet } from './document.js';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
/** Every document that the checks hold to the code. */
export const DOCUMENTS = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(join(ROOT, 'docs')).flatMap((file) => (file.endsWith('.md') ? `docs/${file}` : [])),
];
const PRELUDES = join(ROOT, 'test/readme/prelude');
/** Where the snippets pretend to lie, side by side, so that they can import each other. */
const PLACE = join(ROOT, 'test/readme/snippets');

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
  return `../prelude/${name}.js`;
}

function fileOf(prelude: string): string {
  return `test/readme/prelude/${prelude}.ts`;
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

/**
 * Type-checks snippets against the sources, with the compiler options of the repository, as the files of one app.
 *
 * @param document what the snippets are from, or what each of them is from
 * @returns what the compiler says, with lines of the document
 */
export function typeErrors<S extends Snippet>(
  document: string | ((snippet: S) => string),
  snippets: readonly S[],
): string[] {
  if (snippets.length === 0) return [];
  const files = new Map(snippets.map((snippet) => [join(PLACE, snippet.file), snippet]));
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const shims = ts.sys.readDirectory(PRELUDES, ['.d.ts']);
  const program = ts.createProgram([...files.keys(), ...shims], options, hostWith(files, options));
  return [...files].flatMap(([path, snippet]) => {
    const source = program.getSourceFile(path);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ start = 0, messageText }) => {
      const line = snippet.line + (source?.getLineAndCharacterOfPosition(start).line ?? 0);
      const place = typeof document === 'string' ? document : document(snippet);
      return `${place}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
  });
}

/** The files of the machine, and the snippets beside them. */
function hostWith(files: ReadonlyMap<string, Snippet>, options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  return {
    ...host,
    fileExists: (path) => files.has(path) || host.fileExists(path),
    directoryExists: (path) => path === PLACE || (host.directoryExists?.(path) ?? true),
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
