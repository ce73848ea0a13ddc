import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { ROOT, typeErrors } from './compile.js';
import { Document } from './document.js';
import { type Example, examplesIn } from './examples.js';

const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => `src/${file.split(sep).join('/')}`);
const texts = new Map(sources.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]));
const examples = [...texts].flatMap(([file, text]) => examplesIn(file, text));

/** The data that apps declare, as getting started does: what examples keep in a session. */
const declared = Document.read(join(ROOT, 'docs/getting-started.md')).snippets.filter(
  ({ file }) => file === 'session-data.ts',
);

function errorsIn(some: readonly Example[]): string[] {
  return typeErrors(
    (snippet) => ('source' in snippet ? String(snippet.source) : 'docs/getting-started.md'),
    [...declared, ...some],
  );
}

describe('examples in doc comments', () => {
  it('are all found', () => {
    const written = [...texts.values()].flatMap((text) => text.match(/^\s*\/?\*+ @example\b/gm) ?? []);
    expect(examples).toHaveLength(written.length);
    expect(examples.map(({ subject }) => subject)).toEqual(
      expect.arrayContaining([
        'RequestSession.update',
        'SessionStoreOptions.key',
        'SessionBackend',
        'SessionLimitError',
      ]),
    );
    expect(declared).toHaveLength(1);
  });

  it('compile, against what the package exports', () => {
    expect(errorsIn(examples)).toEqual([]);
  });

  it('are shown whole by editors, but where a decorator is the point', () => {
    const cut = examples.filter(({ isShownWhole }) => !isShownWhole);
    expect(cut.map(({ subject }) => subject)).toEqual(['SessionLimitError']);
  });

  it('are found, on their lines, when they do not compile', () => {
    const text = [
      '/** Sessions of an app. */',
      'export interface Sessions {',
      '  /**',
      '   * Signs out.',
      '   *',
      '   * @example',
      '   * ```ts',
      '   * import { Controller, Post } from "@nestjs/common";',
      '   *',
      '   * @Controller()',
      '   * export class Exit {',
      '   *   @Post()',
      '   *   leave(@Session() session: Session) {',
      '   *     return session.logOut(); // there is none',
      '   *   }',
      '   * }',
      '   * ```',
      '   * @example',
      '   * ```ts',
      '   * SessionModule.forRoot({ key: "secret", csrfToken: true });',
      '   * ```',
      '   */',
      '  end(): void;',
      '}',
    ].join('\n');
    const broken = examplesIn('src/broken.ts', text);
    expect(broken.map(({ subject }) => subject)).toEqual(['Sessions.end', 'Sessions.end']);
    expect(broken.map(({ isShownWhole }) => isShownWhole)).toEqual([false, true]);
    const line = (part: string): number => text.split('\n').findIndex((one) => one.includes(part)) + 1;
    expect(errorsIn(broken)).toEqual([
      expect.stringContaining(`src/broken.ts:${line('logOut')} Property 'logOut' does not exist`),
      expect.stringMatching(new RegExp(`^src/broken\\.ts:${line('csrfToken')} .*'csrfToken' does not exist`)),
    ]);
  });

  it('see what the package exports, and nothing else of it', () => {
    const inside = examplesIn(
      'src/broken.ts',
      '/**\n * @example\n * ```ts\n * new SessionManager();\n * ```\n */\nexport class A {}',
    );
    expect(errorsIn(inside)).toEqual(["src/broken.ts:4 Cannot find name 'SessionManager'."]);
  });

  it('are refused without a block of code', () => {
    const text = '/**\n * Adds.\n *\n * @example await session.save();\n */\nexport class A {}';
    expect(() => examplesIn('src/broken.ts', text)).toThrow('src/broken.ts:4 expected a block of ```ts');
  });
});
