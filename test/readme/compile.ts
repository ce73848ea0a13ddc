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
  'SECURITY.md',
  ...readdirSync(join(ROOT, 'docs')).flatMap((file) => (file.endsWith('.md') ? `docs/${file}` : [])),
];
const PRELUDES = join(ROOT, 'test/readme/prelude');
/** Where the snippets pretend to lie, side by side, so that they can import each other. */
const PLACE = join(ROOT, 'test/readme/snippets');

/** The code of a snippet, with an import of what it uses of its preludes put into its first line. */
export function withPreludes({ code, preludes }: Snippet, pathOf = preludePath): string {
  const imports = preludes.map((name) => {
    const used = exportsOf(name).filter((one) => new RegExp(`\\b${one}\\b`).test(code));
    return `import { ${used.join(', ')} } from '${pathOf(name)}'; `;
  });
  return imports.join('') + code;
}

function preludePath(name: string): string {
  return `../prelude/${name}.js`;
}

function exportsOf(prelude: string): string[] {
  const text = ts.sys.readFile(join(PRELUDES, `${prelude}.ts`));
  if (text === undefined) throw new Error(`There is no prelude '${prelude}' in test/readme/prelude`);
  return [
    ...text.matchAll(/^export (?:declare )?(?:abstract )?(?:class|const|function|type|interface) (\w+)/gm),
    ...text.matchAll(/^export (?:type )?\{ (\w+) \}/gm),
  ].map(([, name = '']) => name);
}

/** Sources and declarations that have been read: the same for all snippets. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/**
 * Type-checks snippets against the sources, with the compiler options of the repository, as the files of one app.
 *
 * @returns what the compiler says, with lines of the document that the snippets are from
 */
export function typeErrors(document: string, snippets: readonly Snippet[]): string[] {
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
      return `${document}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
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
