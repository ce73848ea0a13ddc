import { readFileSync } from 'node:fs';

/** A fenced block of TypeScript. */
export interface Snippet {
  /**
   * Name of its file: what a first line such as `// app.module.ts` says, or a numbered one, which is a CommonJS module
   * behind `<!-- commonjs -->`.
   */
  readonly file: string;
  /** Whether the document gives the file a name, so that others can import it. */
  readonly isNamed: boolean;
  readonly code: string;
  /** Line of the document, from 1, that the first line of the code is. */
  readonly line: number;
  /** Preludes that the comment before it names: `<!-- prelude: users -->`. */
  readonly preludes: readonly string[];
}

export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const FENCE =
  /^(?<comment><!-- (?:prelude: (?<preludes>[\w ]+)|(?<commonjs>commonjs)) -->\n\n)?```ts\n(?<code>[^]*?)\n```$/gm;

/** A Markdown file, as far as its checks need it. */
export class Document {
  constructor(readonly text: string) {}

  static read(path: string): Document {
    return new Document(readFileSync(path, 'utf8'));
  }

  get snippets(): Snippet[] {
    return [...this.text.matchAll(FENCE)].map(({ index, groups = {} }, number) => {
      const { comment = '', preludes = '', commonjs, code = '' } = groups;
      const name = /^\/\/ ([\w.-]+\.ts)$/m.exec(code.split('\n', 1)[0] ?? '')?.[1];
      return {
        file: name ?? `snippet-${number + 1}.${commonjs ? 'cts' : 'ts'}`,
        isNamed: name !== undefined,
        code,
        line: this.text.slice(0, index + comment.length).split('\n').length + 1,
        preludes: preludes.split(' ').filter(Boolean),
      };
    });
  }

  /** Lines of the blocks for a shell. */
  get commands(): string[] {
    return [...this.text.matchAll(/^```sh\n([^]*?)\n```$/gm)].flatMap(([, code = '']) => code.split('\n'));
  }

  get prose(): string {
    return this.text.replace(/^```[^]*?^```$/gm, '');
  }

  get headings(): string[] {
    return [...this.prose.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => title);
  }

  /** Targets of links and images, in prose and in tables. */
  get links(): string[] {
    return [...this.prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  }

  /** What is between headings, by heading. */
  get sections(): ReadonlyMap<string, Document> {
    const [, ...parts] = this.prose.split(/^#+ /m);
    return new Map(parts.map((part) => [part.split('\n', 1)[0] ?? '', new Document(part)]));
  }

  /**
   * Headings that are code, as a table of their own: the code, and what the line below it says of each label,
   * `Type: boolean · Default: `false``.
   */
  tableOfHeadings(...labels: readonly string[]): Table {
    const sections = this.prose.split(/^#+ /m).filter((section) => section.startsWith('`'));
    const rows = sections.map((section) => {
      const [title = '', line = ''] = section.split('\n').filter((one) => one.trim() !== '');
      const parts = new Map(line.split(' · ').map((part) => part.split(': ', 2) as [string, string]));
      return [title, ...labels.map((label) => parts.get(label) ?? '')];
    });
    return { header: ['', ...labels], rows };
  }

  /** The first table below a heading. */
  tableUnder(heading: string): Table {
    const [, after = ''] = this.prose.split(new RegExp(`^#+ ${heading}$`, 'm'));
    const lines = after.split(/^#/m, 1)[0]?.split('\n') ?? [];
    const first = lines.findIndex((line) => line.startsWith('|'));
    const rows = lines
      .slice(first)
      .slice(
        0,
        lines.slice(first).findIndex((line) => !line.startsWith('|')),
      )
      .map((line) => line.slice(1, -1).split(/(?<!\\)\|/))
      .map((cells) => cells.map((cell) => cell.trim()));
    const [header = [], , ...body] = first < 0 ? [] : rows;
    return { header, rows: body };
  }
}

/** The code in a cell: `` `get(key)` `set(key, value)` `` has two pieces. */
export function codeIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}
