import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { temporaryFolder } from './nest-app.js';
import { STEPS } from './test-runs.js';

const WHOLE_RUN = pathToFileURL(join(import.meta.dirname, 'whole-run.js')).href;
const [FIRST = '', SECOND = ''] = STEPS.map(({ script }) => script);

/** What the programs of a test can do. */
const PROGRAM = `
  import { existsSync, writeFileSync } from 'node:fs';
  const make = (file) => writeFileSync(file, '');
  const until = async (file) => { while (!existsSync(file)) await new Promise((done) => setTimeout(done, 10)); };
  /** As Jest does that has run twelve tests. */
  const leaveResults = (failed = 0) => {
    const run = { isWhole: true, files: 1, ran: [], share: 1, passed: 12 - failed, failed, skipped: 0 };
    writeFileSync(process.env.TEST_RESULTS, JSON.stringify(run));
    process.exitCode = failed > 0 ? 1 : 0;
  };`;

describe('a run of Jest with steps beside it', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  beforeEach(() => (folder = temporaryFolder()));
  afterEach(() => folder.remove());

  /** @param code of `jest`, of `pack`, and of steps by their script; one that is absent does nothing, and ends well */
  function run(code: Readonly<Record<string, string>>): { status: number | null; lines: string[] } {
    for (const name of ['jest', 'pack', ...STEPS.map(({ script }) => script)]) {
      writeFileSync(folder.path(`${name.replace(':', '-')}.mjs`), `${PROGRAM}\n${code[name] ?? ''}`);
    }
    const main = `
      import { runWhole } from ${JSON.stringify(WHOLE_RUN)};
      const command = (name) => [process.execPath, name.replace(':', '-') + '.mjs'];
      const isFine = await runWhole({ jest: command('jest'), pack: () => command('pack'), step: command });
      process.exitCode = isFine ? 0 : 1;`;
    writeFileSync(folder.path('main.mjs'), main);
    const { stdout, status } = spawnSync(process.execPath, ['main.mjs'], {
      cwd: folder.path('.'),
      encoding: 'utf8',
    });
    return { status, lines: stdout.trimEnd().split('\n') };
  }

  it.each([
    ['Jest', { jest: "await until('second'); leaveResults();", [SECOND]: "make('second');" }],
    [
      'a step',
      { jest: "leaveResults(); make('jest');", [FIRST]: "await until('jest'); console.log('fine');" },
    ],
  ])('ends with what ran and what passed, though %s ends last', (_, code) => {
    const { status, lines } = run(code);
    expect(lines.slice(-3)).toEqual([
      expect.stringMatching(new RegExp(`^Ran: 1 spec file, .*, ${STEPS.at(-1)?.name}$`)),
      expect.stringMatching(/^Not run: /),
      `${12 + STEPS.length} passed, 0 failed`,
    ]);
    expect(status).toBe(0);
  });

  it('has all of them at once', () => {
    const { status } = run({
      jest: "make('jest'); await until('second'); leaveResults();",
      [FIRST]: "await until('jest'); make('first');",
      [SECOND]: "await until('first'); make('second');",
    });
    expect(status).toBe(0);
  });

  it('has one folder for what the steps install', () => {
    const { status } = run({
      jest: 'leaveResults();',
      [FIRST]: "writeFileSync(process.env.MODULES + '/first', ''); await until('second');",
      [SECOND]: "await until(process.env.MODULES + '/first'); make('second');",
    });
    expect(status).toBe(0);
  });

  it('prints a step in one piece, with its errors where they came', () => {
    const { lines } = run({
      jest: "await until('one'); console.log('of Jest'); make('jest'); leaveResults();",
      [FIRST]: "console.log('one'); make('one'); await until('jest'); console.error('two');",
    });
    const start = lines.indexOf(`== ${STEPS[0]?.name}: npm run ${FIRST}`);
    expect(lines.slice(start + 1, start + 4)).toEqual([
      'one',
      'two',
      expect.stringMatching(new RegExp(`^-- ok, \\d+ s: npm run ${FIRST}$`)),
    ]);
  });

  it('packs once, and tells the steps where', () => {
    const { lines } = run({
      jest: 'leaveResults();',
      pack: "console.error('> build'); console.log('/a/tarball.tgz');",
      [FIRST]: "console.log('It is at', process.env.PACKAGE_TARBALL);",
    });
    expect(lines).toContain('It is at /a/tarball.tgz');
  });

  it.each<[string, Readonly<Record<string, string>>, string[]]>([
    [
      'a step',
      { jest: 'leaveResults();', [SECOND]: 'process.exit(1);' },
      [`Failed: npm run ${SECOND}`, `${11 + STEPS.length} passed, 1 failed`],
    ],
    ['a test', { jest: 'leaveResults(1);' }, [`${11 + STEPS.length} passed, 1 failed`]],
    [
      'Jest itself, before it has results',
      { jest: 'process.exit(1);' },
      [`${STEPS.length} passed, 1 failed`],
    ],
    [
      'Jest, killed by a signal',
      { jest: "process.kill(process.pid, 'SIGKILL');" },
      [`${STEPS.length} passed, 1 failed`],
    ],
    [
      'Jest, with tests that passed',
      { jest: 'leaveResults(); process.exit(1);' },
      [`${12 + STEPS.length} passed, 0 failed`],
    ],
  ])('fails where %s fails', (_, code, last) => {
    const { status, lines } = run(code);
    expect(lines.slice(-last.length)).toEqual(last);
    expect(status).toBe(1);
  });

  it('runs the steps without a tarball that cannot be packed, which then say why', () => {
    const { status, lines } = run({
      jest: 'leaveResults();',
      pack: "console.log('half'); console.error('It does not compile'); process.exit(1);",
      [FIRST]: "if (!process.env.PACKAGE_TARBALL) throw new Error('There is none');",
    });
    expect(lines).toContain('It does not compile');
    expect(lines).toContain('Error: There is none');
    expect(lines.at(-1)).toBe(`${11 + STEPS.length} passed, 1 failed`);
    expect(status).toBe(1);
  });
});
