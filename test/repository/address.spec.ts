import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../docs/compile.js';
import { temporaryFolder } from '../support/nest-app.js';

/** What a script of ours prints, and how it ends. */
function run(script: string, folder: string, ...args: string[]): { code: number | null; output: string } {
  const { GITHUB_REPOSITORY: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync('node', [join(ROOT, 'scripts', script), ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  return { code: status, output: stdout + stderr };
}

/** A copy of what has an absolute address. */
function copy() {
  const folder = temporaryFolder();
  const root = folder.path('.');
  for (const name of ['package.json', 'README.md', 'CHANGELOG.md', 'SECURITY.md', '.github', 'docs'])
    if (existsSync(join(ROOT, name)))
      cpSync(join(ROOT, name), join(root, name), {
        recursive: true,
        filter: (file) => !file.includes('node_modules'),
      });
  const read = (file: string): string => readFileSync(join(root, file), 'utf8');
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  const packageJson = (): Record<string, unknown> =>
    JSON.parse(read('package.json')) as Record<string, unknown>;
  copies.push(folder);
  return { root, read, write, packageJson };
}
const copies: { remove: () => void }[] = [];
afterEach(() => copies.splice(0).forEach((one) => one.remove()));

const BADGES = '# Name\n\n<!-- badges -->\n<!-- /badges -->\n\nText\n';
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly version: string;
};

describe('the address of the repository', () => {
  it('is the same in every file', () => {
    const { code, output } = run('repository.mjs', ROOT);
    expect([code, output]).toEqual([0, expect.stringMatching(/^[\w-]+\/[\w.-]+( \(a placeholder.*\))?\n$/)]);
  });

  it('moves all files along, and back again', () => {
    const { root, read, write, packageJson } = copy();
    run('repository.mjs', root, '__owner__/nest-sessions');
    write('README.md', BADGES);
    write(
      'docs/site/index.md',
      'See https://github.com/__owner__/nest-sessions/issues, not nest-sessions-2.\n',
    );
    run('repository.mjs', root, '__owner__/nest-sessions');
    const before = ['package.json', 'README.md', 'docs/site/index.md'].map(read);

    expect(run('repository.mjs', root, 'ada/sessions')).toMatchObject({ code: 0 });
    expect(packageJson()).toMatchObject({
      repository: { type: 'git', url: 'git+https://github.com/ada/sessions.git' },
      homepage: 'https://github.com/ada/sessions#readme',
      bugs: 'https://github.com/ada/sessions/issues',
    });
    expect(read('docs/site/index.md')).toBe(
      'See https://github.com/ada/sessions/issues, not nest-sessions-2.\n',
    );
    expect(read('README.md')).toContain('https://github.com/ada/sessions/actions/workflows/ci.yml');
    expect(run('repository.mjs', root)).toEqual({ code: 0, output: 'ada/sessions\n' });

    run('repository.mjs', root, '__owner__/nest-sessions');
    expect(['package.json', 'README.md', 'docs/site/index.md'].map(read)).toEqual(before);
  });

  it('shows no badge that depends on it while it is a placeholder', () => {
    const { root, read, write } = copy();
    write('README.md', BADGES);
    run('repository.mjs', root, '__owner__/nest-sessions');
    const [, badges = ''] = /<!-- badges -->([^]*)<!-- \/badges -->/.exec(read('README.md')) ?? [];
    expect(badges.match(/!\[[^\]]*\]/g)).toEqual(['![licence: MIT]', '![Node: 20.19+, 22.13+, 24+]']);
    expect(badges).not.toContain('github.com');
  });

  it('leaves a README without a place for badges as it is', () => {
    const { root, read, write } = copy();
    write('README.md', '# Name\n');
    run('repository.mjs', root, 'ada/sessions');
    expect(read('README.md')).toBe('# Name\n');
  });

  it.each<[string, (files: ReturnType<typeof copy>) => void]>([
    [
      'package.json',
      ({ write, packageJson }) =>
        write(
          'package.json',
          `${JSON.stringify({ ...packageJson(), homepage: 'https://example.com' }, null, 2)}\n`,
        ),
    ],
    ['README.md', ({ write }) => write('README.md', BADGES)],
  ])('is noticed to differ in %s', (file, change) => {
    const files = copy();
    change(files);
    const { code, output } = run('repository.mjs', files.root);
    expect(code).toBe(1);
    expect(output).toContain(`${file} says something else`);
  });

  it.each(['ada', 'ada/', '/sessions', 'a da/sessions', '-ada/sessions', 'https://github.com/ada/sessions'])(
    'cannot be %j',
    (wanted) => {
      const { root, read } = copy();
      const before = read('package.json');
      expect(run('repository.mjs', root, wanted)).toEqual({
        code: 2,
        output: `Expected owner/name, got ${wanted}\n`,
      });
      expect(read('package.json')).toBe(before);
    },
  );
});

describe('a release', () => {
  /** A repository that is ready for one. */
  function ready() {
    const files = copy();
    run('repository.mjs', files.root, 'ada/sessions');
    files.write('CHANGELOG.md', `# Changelog\n\n## ${version} - 2030-01-31\n`);
    return files;
  }

  it('is published from a repository that is one, by the tag of the version', () => {
    const { root } = ready();
    expect(run('check-release.mjs', root, `v${version}`)).toEqual({
      code: 0,
      output: `nest-sessions ${version} may be published from ada/sessions\n`,
    });
  });

  it('is refused while the repository is a placeholder', () => {
    const { root } = ready();
    run('repository.mjs', root, '__owner__/nest-sessions');
    const { code, output } = run('check-release.mjs', root, `v${version}`);
    expect(code).toBe(1);
    expect(output).toMatch(/^release: package\.json has a placeholder for the repository.*\n$/);
  });

  it.each(['', 'v9.9.9', version])('is refused for the tag %j', (tag) => {
    const { root } = ready();
    const { code, output } = run('check-release.mjs', root, tag);
    expect(code).toBe(1);
    expect(output).toMatch(new RegExp(`^release: the tag .* expected the tag v${version}\n$`));
  });

  it.each([`## ${version} - Unreleased`, '## 0.0.1 - 2030-01-31'])(
    'is refused while the changelog says: %s',
    (heading) => {
      const { root, write } = ready();
      write('CHANGELOG.md', `# Changelog\n\n${heading}\n`);
      const { code, output } = run('check-release.mjs', root, `v${version}`);
      expect(code).toBe(1);
      expect(output).toMatch(/^release: CHANGELOG\.md has no heading/);
    },
  );

  it('is refused in a copy of the repository that belongs to somebody else', () => {
    const { root } = ready();
    const { status, stderr } = spawnSync('node', [join(ROOT, 'scripts/check-release.mjs'), `v${version}`], {
      cwd: root,
      env: { ...process.env, GITHUB_REPOSITORY: 'mallory/sessions' },
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toBe(
      'release: package.json says the repository is ada/sessions, this one is mallory/sessions\n',
    );
  });
});
