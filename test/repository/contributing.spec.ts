import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../docs/compile.js';
import { codeIn, Document } from '../docs/document.js';

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const page = Document.read(join(ROOT, 'CONTRIBUTING.md'));

/** `SkipSession` of `@SkipSession()`; nothing of what is no name, such as a name of a file. */
function identifierIn(code: string): string[] {
  const [, name = ''] = /^@?([A-Za-z_]\w*)(\(\))?$/.exec(code) ?? [];
  return name === '' ? [] : [name];
}

/** The texts of the files, not the folders, that a cell links to. */
function textsIn(cell: string): string {
  const files = new Document(cell).links.filter((path) => statSync(join(ROOT, path)).isFile());
  return files.map(read).join('\n');
}

/** Names in the first two columns that none of the files of their row has. */
function strangers(document: Document): string[] {
  const { rows } = document.tableUnder('Where a feature goes');
  return rows.flatMap(([what = '', files = '']) => {
    const text = textsIn(files);
    const names = [...codeIn(what), ...codeIn(files)].flatMap(identifierIn);
    return names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text)).map((name) => `${what}: ${name}`);
  });
}

describe('where a feature goes', () => {
  it('is said by files that have the names that go with them', () => {
    expect(page.tableUnder('Where a feature goes').rows.length).toBeGreaterThan(8);
    expect(strangers(page)).toEqual([]);
  });

  it('is noticed to be wrong', () => {
    const row = '| option (`ttl`) | [a](src/core/session-options.ts): `STORE_OPTION_NAMES`, `NO_SUCH_LIST` |';
    const wrong = new Document(
      `## Where a feature goes\n\n| A new | Files |\n| - | - |\n${row}\n\n## Next\n`,
    );
    expect(strangers(wrong)).toEqual(['option (`ttl`): NO_SUCH_LIST']);
  });
});

describe('compose.yaml', () => {
  const { services } = parse(read('compose.yaml')) as {
    readonly services: Readonly<
      Record<
        string,
        { readonly ports: readonly string[]; readonly environment: Readonly<Record<string, string>> }
      >
    >;
  };

  it('has servers where specs look for them, for this machine alone', () => {
    expect(Object.values(services).flatMap(({ ports }) => ports)).toEqual([
      '127.0.0.1:5432:5432',
      '127.0.0.1:3306:3306',
      '127.0.0.1:6379:6379',
    ]);
    for (const port of ['?? 5432', '?? 3306']) expect(read('test/support/databases.ts')).toContain(port);
  });

  it('has the database that specs and examples expect', () => {
    const { postgres, mariadb } = services;
    expect([postgres?.environment['POSTGRES_DB'], mariadb?.environment['MARIADB_DATABASE']]).toEqual([
      'test',
      'test',
    ]);
    expect(read('examples/fastify-postgres/.env.example')).toContain('@127.0.0.1:5432/test');
  });
});
