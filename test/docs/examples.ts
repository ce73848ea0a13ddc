import ts from 'typescript';
import { exportsOf, importsFor } from './compile.js';
import type { Snippet } from './document.js';

/** The code of an `@example` in a doc comment. */
export interface Example extends Snippet {
  /** Path of the source that it is written in, as it was given. */
  readonly source: string;
  /** What the comment documents: `RequestSession.update`, `SessionLimitError`. */
  readonly subject: string;
  /** Whether TypeScript, and so an editor, takes all of the code for the example's. It ends one at ` @`. */
  readonly isShownWhole: boolean;
}

/** What an example may use without a word about it: the entry points of the package. Anything else it imports. */
const ENTRY_POINTS = [
  { from: 'nest-sessions', names: exportsOf('src/index.ts') },
  { from: 'nest-sessions/testing', names: exportsOf('src/testing/index.ts') },
  { from: 'nest-sessions/migrations', names: exportsOf('src/backends/typeorm/schema/session-migrations.ts') },
  { from: 'nest-sessions/redis', names: exportsOf('src/backends/redis/index.ts') },
];

/** And what the snippets of documents have around them: a session, a store, users to sign in. */
const PRELUDES = ['session', 'store', 'users', 'platforms', 'backend'];

/** What stands before each line of a doc comment. */
const MARGIN = /^[ \t]*\*(?: |$)/gm;

/**
 * The examples in the doc comments of a source.
 *
 * The code is read from the comment's text: TypeScript takes each `@Decorator` in it for a tag of its own.
 *
 * @throws Error for one that is no fenced block of `ts`: editors show it as prose, and nobody would compile it
 */
export function examplesIn(source: string, text: string): Example[] {
  const file = ts.createSourceFile(source, text, ts.ScriptTarget.Latest, true);
  const found = new Map<number, Example>();
  const look = (node: ts.Node): void => {
    for (const tag of ts.getJSDocTags(node)) {
      if (tag.tagName.text !== 'example' || found.has(tag.pos)) continue;
      found.set(tag.pos, exampleOf(tag, subjectOf(node), file));
    }
    ts.forEachChild(node, look);
  };
  look(file);
  return [...found.values()];
}

function exampleOf(tag: ts.JSDocTag, subject: string, file: ts.SourceFile): Example {
  const text = file.text.slice(tag.tagName.end, tag.parent.end);
  const fence = /[^@]*?```ts\n(?<code>[^]*?)^[ \t]*\* ```$/my.exec(text);
  const line = file.getLineAndCharacterOfPosition(tag.pos).line + 1;
  if (fence?.groups === undefined)
    throw new Error(`${file.fileName}:${line} expected a block of \`\`\`ts after @example, got none`);
  const written = fence.groups['code'] ?? '';
  const start = tag.tagName.end + fence[0].indexOf(written, fence[0].indexOf('```ts\n') + 6);
  const code = written.replace(MARGIN, '').trimEnd();
  const first = file.getLineAndCharacterOfPosition(start).line + 1;
  return {
    isNamed: false,
    source: file.fileName,
    subject,
    file: `${file.fileName.replaceAll(/\W/g, '-')}-${first}.ts`,
    line: first,
    code: importsFor(code, ENTRY_POINTS) + code,
    isShownWhole: ts.getTextOfJSDocComment(tag.comment)?.trimEnd().endsWith('```') ?? false,
    preludes: PRELUDES,
  };
}

/** `RequestSession.update`: the name of what is documented, behind the name of what it belongs to. */
function subjectOf(node: ts.Node): string {
  const names: string[] = [];
  for (let one: ts.Node | undefined = node; one !== undefined; one = one.parent) {
    const name = ts.getNameOfDeclaration(one as ts.Declaration);
    if (name !== undefined && !ts.isSourceFile(one)) names.unshift(name.getText());
  }
  return names.join('.');
}
