import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkLinks, checkPrivacy } from '../docs/checks.js';
import { ROOT } from '../docs/compile.js';
import { Document } from '../docs/document.js';
import { temporaryFolder } from '../support/nest-app.js';

const FOLDER = join(ROOT, 'examples');
const examples = readdirSync(FOLDER, { withFileTypes: true }).flatMap((one) =>
  one.isDirectory() ? [one.name] : [],
);
const read = (example: string, file: string): string => readFileSync(join(FOLDER, example, file), 'utf8');
const packageJson = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly version: string;
};

describe('the examples', () => {
  it('are listed in their README', () => {
    const rows = Document.read(join(FOLDER, 'README.md')).tableUnder('Examples').rows;
    const listed = rows.map(([cell = '']) => /^\[([\w-]+)\]/.exec(cell)?.[1]);
    expect(new Set(listed)).toEqual(new Set(examples));
    expect(examples).toContain('quick-start');
  });

  it.each(['client.mjs', 'make-env.mjs', 'tsconfig.json', '.gitignore'])('have the same %s', (file) => {
    expect(new Set(examples.map((example) => read(example, file))).size).toBe(1);
  });
});

describe.each(examples)('examples/%s', (example) => {
  it('asks for this version of the package, and is started and checked by npm', () => {
    const { dependencies, scripts } = JSON.parse(read(example, 'package.json')) as {
      readonly dependencies: Readonly<Record<string, string>>;
      readonly scripts: Readonly<Record<string, string>>;
    };
    expect(dependencies['nest-sessions']).toBe(`^${packageJson.version}`);
    expect(Object.keys(scripts)).toEqual(['prestart', 'start', 'test']);
  });

  it('has no key, and keeps the one that it makes out of Git', () => {
    expect(read(example, '.env.example')).toMatch(/^SESSION_KEY=$/m);
    expect(read(example, '.gitignore').split('\n')).toContain('.env');
  });

  it.each(['README.md', '../README.md'])('has a %s whose links lead to files', (name) => {
    const path = join(FOLDER, example, name);
    const document = Document.read(path);
    expect(document.links).not.toEqual([]);
    expect(checkLinks(document, path)).toEqual([]);
    expect(checkPrivacy(document)).toEqual([]);
  });
});

describe('make-env.mjs', () => {
  const folder = temporaryFolder();
  const makeEnv = (): void => {
    const { status, stderr } = spawnSync('node', ['make-env.mjs'], {
      cwd: folder.path('.'),
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  };
  const env = (): string => readFileSync(folder.path('.env'), 'utf8');

  beforeAll(() => {
    for (const file of ['make-env.mjs', '.env.example'])
      copyFileSync(join(FOLDER, 'fastify-postgres', file), folder.path(file));
  });

  afterAll(() => folder.remove());

  it('writes a key of its own, once, for nobody else on the machine to read', () => {
    makeEnv();
    const first = env();
    expect(first).toMatch(/^SESSION_KEY=[\w-]{43}$/m);
    expect(first).toContain('DATABASE_URL=postgres://');
    expect(statSync(folder.path('.env')).mode & 0o777).toBe(0o600);
    makeEnv();
    expect(env()).toBe(first);
  });
});
