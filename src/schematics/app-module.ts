import { posix } from 'node:path';
import type ts from 'typescript';

/*
 * Where the module of an app is, and its text with `SessionModule` in it. The compiler is a parameter: it is the app's own,
 * so that the package does not depend on one. What takes it is internal, because published types name no compiler.
 */

/** As much of the package `typescript` as is needed. */
type Compiler = typeof ts;

/** What is put into the module. */
export interface SessionImport {
  /** Lines of `SessionModule.forRoot({ … })`, without indentation. */
  readonly lines: readonly string[];
  /** A module that is imported before all others, as the app module names it: `'./load-env.js'`. */
  readonly before: string;
}

/**
 * The file of the module that `main.ts` gives to `NestFactory`.
 *
 * @internal
 * @param main text of `main.ts`
 * @param path its path, with forward slashes
 * @returns `null` when it calls no `NestFactory` method with a class that it imports from a file of the app
 */
export function appModulePath(compiler: Compiler, main: string, path: string): string | null {
  const source = parse(compiler, main);
  const name = firstIn(compiler, source, (node) => {
    if (!compiler.isCallExpression(node) || !compiler.isPropertyAccessExpression(node.expression))
      return null;
    const [module] = node.arguments;
    const isFactory = node.expression.expression.getText(source) === 'NestFactory';
    return isFactory && module && compiler.isIdentifier(module) ? module.text : null;
  });
  const from = importsOf(compiler, source).find(({ names }) => name !== null && names.includes(name))?.from;
  if (from === undefined || !from.startsWith('.')) return null;
  return `${posix.join(posix.dirname(path), from).replace(/\.(js|ts)$/, '')}.ts`;
}

/**
 * Whether this file imports `SessionModule`.
 *
 * @internal
 */
export function importsSessionModule(compiler: Compiler, text: string): boolean {
  return importsOf(compiler, parse(compiler, text)).some(
    ({ from, names }) => from === 'nest-sessions' && names.includes('SessionModule'),
  );
}

/**
 * The text of an app module with `SessionModule` as the last of its `imports`; everything else stays as it is.
 *
 * @internal
 * @param text of the app module
 * @returns `null` when the file has no class with `@Module({ … })`, or when its `imports` are not a list that is written
 *   out there
 */
export function withSessionModule(compiler: Compiler, text: string, added: SessionImport): string | null {
  const source = parse(compiler, text);
  const metadata = firstIn(compiler, source, (node) => metadataOf(compiler, node));
  if (metadata === null) return null;
  const place = placeInImports(compiler, source, metadata);
  if (place === null) return null;
  const withModule = insert(text, place.from, place.to, place.textOf(added.lines));

  const quote = /from\s*"/.test(text) ? '"' : "'";
  const statements = importDeclarations(compiler, source);
  const end = statements.at(-1)?.getEnd() ?? 0;
  const withImport = insert(
    withModule,
    end,
    end,
    `${end === 0 ? '' : '\n'}import { SessionModule } from ${quote}nest-sessions${quote};${end === 0 ? '\n' : ''}`,
  );
  const start = statements[0]?.getStart(source) ?? 0;
  return insert(withImport, start, start, `import ${quote}${added.before}${quote};\n`);
}

interface Place {
  readonly from: number;
  readonly to: number;
  readonly textOf: (lines: readonly string[]) => string;
}

/** Where the new member of `imports` goes, and with what around it. */
function placeInImports(
  compiler: Compiler,
  source: ts.SourceFile,
  metadata: ts.ObjectLiteralExpression,
): Place | null {
  const outer = indentationAt(source, metadata.getStart(source));
  const unit = outer === '' && source.text.includes('\n\t') ? '\t' : '  ';
  const [one, two] = [outer + unit, outer + unit + unit];
  const indented = (lines: readonly string[]): string => lines.map((line) => two + line).join('\n');
  const property = metadata.properties.find((member) => member.name?.getText(source) === 'imports');
  if (property === undefined) {
    const at = metadata.getStart(source) + 1;
    const isEmpty = metadata.properties.length === 0;
    const textOf = (lines: readonly string[]): string =>
      `\n${one}imports: [\n${indented(lines)},\n${one}],${isEmpty ? `\n${outer}` : ''}`;
    return { from: at, to: isEmpty ? metadata.getEnd() - 1 : at, textOf };
  }
  if (!compiler.isPropertyAssignment(property)) return null;
  const list = property.initializer;
  if (!compiler.isArrayLiteralExpression(list)) return null;
  const close = list.getEnd() - 1;
  const last = list.elements.at(-1);
  if (last === undefined) {
    const textOf = (lines: readonly string[]): string => `\n${indented(lines)},\n${one}`;
    return { from: list.getStart(source) + 1, to: close, textOf };
  }
  const isOnOneLine = !source.text.slice(list.getStart(source), close).includes('\n');
  if (isOnOneLine) {
    const members = list.elements.map((member) => `${two}${member.getText(source)},`).join('\n');
    const textOf = (lines: readonly string[]): string => `\n${members}\n${indented(lines)},\n${one}`;
    return { from: list.getStart(source) + 1, to: close, textOf };
  }
  // A comment behind the last member stays there.
  const tail = source.text.slice(last.getEnd(), close).replace(/^,/, '').trimEnd();
  const textOf = (lines: readonly string[]): string => `,${tail}\n${indented(lines)},\n${one}`;
  return { from: last.getEnd(), to: close, textOf };
}

/** The object of `@Module({ … })`, if the node is a class with one. */
function metadataOf(compiler: Compiler, node: ts.Node): ts.ObjectLiteralExpression | null {
  if (!compiler.isClassDeclaration(node)) return null;
  for (const { expression } of compiler.getDecorators(node) ?? []) {
    if (!compiler.isCallExpression(expression) || !compiler.isIdentifier(expression.expression)) continue;
    const [argument] = expression.arguments;
    const isModule = expression.expression.text === 'Module';
    if (isModule && argument && compiler.isObjectLiteralExpression(argument)) return argument;
  }
  return null;
}

interface Import {
  readonly from: string;
  readonly names: readonly string[];
}

function importDeclarations(compiler: Compiler, source: ts.SourceFile): ts.ImportDeclaration[] {
  return source.statements.filter((one) => compiler.isImportDeclaration(one));
}

/** What a file imports by name, by the names that the exporting module has for it. */
function importsOf(compiler: Compiler, source: ts.SourceFile): Import[] {
  return importDeclarations(compiler, source).flatMap(({ moduleSpecifier, importClause }) => {
    const bindings = importClause?.namedBindings;
    const names = bindings && compiler.isNamedImports(bindings) ? bindings.elements : [];
    return compiler.isStringLiteral(moduleSpecifier)
      ? [
          {
            from: moduleSpecifier.text,
            names: names.map(({ name, propertyName }) => (propertyName ?? name).text),
          },
        ]
      : [];
  });
}

function parse(compiler: Compiler, text: string): ts.SourceFile {
  return compiler.createSourceFile('file.ts', text, compiler.ScriptTarget.Latest, true);
}

/** The first result that is not `null`, of a node and what is in it, from top to bottom. */
function firstIn<T>(compiler: Compiler, node: ts.Node, find: (node: ts.Node) => T | null): T | null {
  const found = find(node);
  if (found !== null) return found;
  return compiler.forEachChild(node, (child) => firstIn(compiler, child, find) ?? undefined) ?? null;
}

function indentationAt(source: ts.SourceFile, position: number): string {
  const start = source.text.lastIndexOf('\n', position) + 1;
  return /^[\t ]*/.exec(source.text.slice(start))?.[0] ?? '';
}

function insert(text: string, from: number, to: number, piece: string): string {
  return text.slice(0, from) + piece + text.slice(to);
}
