import { readFileSync } from 'node:fs';

/** A fenced block of TypeScript. */
export interface Snippet {
  /** Name of its file: what a first line such as `// app.module.ts` says, or a numbered one. */
  readonly file: string;
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

const FENCE = /^(?<comment><!-- prelude: (?<preludes>[\w ]+) -->\n\n)?```ts\n(?<code>[^]*?)\n```$/gm;

/** A Markdown file, as far as its checks need it. */
export class Document {
  constructor(readonly text: string) {}

  static read(path: string): Document {
    return new Document(readFileSync(path, 'utf8'));
  }

  get snippets(): Snippet[] {
    return [...this.text.matchAll(FENCE)].map(({ index, groups = {} }, number) => {
      const { comment = '', preludes = '', code = '' } = groups;
      return {
        file: /^\/\/ ([\w.-]+\.ts)$/m.exec(code.split('\n', 1)[0] ?? '')?.[1] ?? `snippet-${number + 1}.ts`,
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

/** The anchor that GitHub gives a heading. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
}
