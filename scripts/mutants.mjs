// Does a test fail when a condition is flipped? Flips each one in what decides about rotation, touch, merge and cookie,
// one at a time, and runs the specs that reach it. Fails if a flipped condition goes unnoticed ("survives").
//
//   npm run mutants                                          all files below; takes an hour
//   npm run mutants -- --only merge-changes                  files with this in their path
//   npm run mutants -- --files src/core/session-expiry.ts    other files than those below
//   npm run mutants -- --list                                what would be flipped
//
// Stryker makes the mutants: every one of a file is in one copy of it, and is switched on by its number. How Jest runs
// the specs is in mutants/.
import { Stryker } from '@stryker-mutator/core';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** What decides, by room. */
const FILES = {
  core: [
    'src/core/rotation-policy.ts',
    'src/core/replaced-tokens.ts',
    'src/core/token-resolver.ts',
    'src/core/token-rotation.ts',
    'src/core/session-expiry.ts',
    'src/core/session-touches.ts',
    'src/core/merge-changes.ts',
    'src/core/working-copy.ts',
  ],
  http: [
    'src/http/session/request-session-state.ts',
    'src/http/request/session-exchange.ts',
    'src/http/response/session-cookie.ts',
    'src/http/response/session-headers.ts',
    'src/http/request/load-session.ts',
  ],
};

/**
 * Which specs are asked about the files of which rooms, one stage after the other: what the specs of one stage do not
 * notice is asked of the next. Most mutants meet only the quickest, which are those that bear the name of a file. Where
 * there is a server, a test that fails may leave a response that never comes: there it is given up sooner.
 */
const STAGES = [
  {
    name: 'own',
    rooms: ['core', 'http'],
    specs: (files) => [
      ...files.flatMap(ownSpecs),
      '**/test/session.options.cookie.spec.ts', // of session-cookie.ts, by way of the module
    ],
    testTimeout: 10_000,
  },
  {
    name: 'core',
    rooms: ['core'],
    specs: () => ['**/test/core/!(*.model|*.exhaustive|*.lossy|*.theft).spec.ts'],
  },
  {
    name: 'models',
    rooms: ['core'],
    specs: () => [
      '**/test/core/*.{model,exhaustive,lossy,theft}.spec.ts',
      '**/test/interleaving/interleaving.spec.ts', // the other one there is about flawed storages
    ],
  },
  {
    name: 'http',
    rooms: ['core', 'http'],
    specs: () => [
      '**/test/http/{request,response,session}/*.spec.ts',
      '**/test/http/security/bearer.spec.ts',
      '**/test/behaviour/{caches,expiry,late-changes,no-lost-update,no-resurrection,replaced-tokens,rotation}.spec.ts',
      '**/test/behaviour/{every-way-out,forgotten-promises,reads-do-not-write}.spec.ts',
    ],
    testTimeout: 10_000,
  },
];

/** `test/core/duration.spec.ts` and `test/core/duration.overflow.spec.ts` of `src/core/duration.ts`. */
function ownSpecs(file) {
  const path = `**/${file.replace(/^src/, 'test').replace(/\.ts$/, '')}`;
  return [`${path}.spec.ts`, `${path}.!(model|exhaustive|lossy|theft).spec.ts`];
}

/** Each spec runs hundreds of times: the longest are cut short, unless the caller says how long they are to be. */
const SHORTER = { DEPTH: '6', SCHEDULES: '200' };

/** A flipped condition is a decision; an emptied string, list or function body is none. */
const OTHER_MUTATIONS = [
  'ArrayDeclaration',
  'BlockStatement',
  'ObjectLiteral',
  'Regex',
  'StringLiteral',
  'TemplateLiteral',
];

/** A mutant that hangs fails its test after so many milliseconds. No test takes as long, not even on a busy machine. */
const LONGEST_TEST = 60_000;

/** Native ESM keeps each module that a spec has loaded, so a process is given up after so many mutants. */
const MUTANTS_PER_PROCESS = 15;

const HELP = `Flips each condition of what decides, one at a time, and runs the specs that reach it.

  --only <text>      of the files at the top of this script, those with this in their path
  --files <path>     these files instead; may be given several times
  --list             say what would be flipped, and run nothing
  --stage <name>     ask these specs only: own, core, models or http; may be given several times
  --specs <glob>     of these stages, these specs only; may be given several times
  --resume           take what an earlier run found of what has not changed since
  --workers <n>      mutants at the same time; 1 without it

Mutants that change nothing are named in scripts/mutants/equivalent.json, each with the reason.`;

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const OUT = 'coverage/mutants';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    files: { type: 'string', multiple: true },
    list: { type: 'boolean', default: false },
    stage: { type: 'string', multiple: true },
    specs: { type: 'string', multiple: true },
    resume: { type: 'boolean', default: false },
    workers: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) console.log(HELP);
else await main();

async function main() {
  process.chdir(ROOT);
  mkdirSync(OUT, { recursive: true });
  const files = chosenFiles();
  const results = options.list ? await listed(files) : await judged(files);
  if (options.list) for (const mutant of results) console.log(titleOf(mutant));
  else report(results, files);
}

function chosenFiles() {
  const { only, files = Object.values(FILES).flat() } = options;
  const chosen = files.filter((file) => only === undefined || file.includes(only));
  const missing = chosen.filter((file) => !existsSync(file));
  if (chosen.length > 0 && missing.length === 0) return chosen;
  console.error(
    chosen.length === 0
      ? `Expected a file with ${only} in its path`
      : `Expected ${missing.join(', ')} to exist`,
  );
  return process.exit(2);
}

/** Every mutant, by a test command that says nothing about any. */
function listed(files) {
  const command = { testRunner: 'command', commandRunner: { command: 'exit 0' }, coverageAnalysis: 'off' };
  return stryker('list', files, { ...command, reporters: ['json'] });
}

/** Every mutant with what has become of it. */
async function judged(files) {
  Object.assign(process.env, { ...SHORTER, ...process.env });
  const known = new Map();
  const asked = new Set();
  for (const stage of STAGES) {
    if (options.stage && !options.stage.includes(stage.name)) continue;
    const concerned = files.filter((file) => stage.rooms.includes(roomOf(file)));
    const left = [...known.values()].filter(isOpen).map(rangeOf);
    const mutate = [...concerned.filter((file) => !asked.has(file)), ...left];
    if (mutate.length === 0) continue;
    for (const mutant of await ask(stage, files, mutate)) {
      asked.add(mutant.file);
      const before = known.get(keyOf(mutant));
      if (before === undefined || isOpen(before)) known.set(keyOf(mutant), mutant);
    }
  }
  return [...known.values()];
}

function roomOf(file) {
  return file.startsWith('src/http/') ? 'http' : 'core';
}

function isOpen(mutant) {
  return mutant.killedBy === null && mutant.reason === null;
}

async function ask({ name, specs, testTimeout = LONGEST_TEST }, files, mutate) {
  process.env.MUTANTS_TEST_TIMEOUT = String(testTimeout);
  process.env.MUTANTS_SPECS = JSON.stringify(options.specs ?? specs(files));
  process.env.MUTANTS_NOTES = join(ROOT, OUT, `${name}-specs.json`);
  console.log(`Asking the specs of stage ${name} about ${mutate.join(', ')}`);
  return stryker(name, mutate, {
    testRunner: 'jest',
    testRunnerNodeArgs: [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      '--max-old-space-size=8192', // the first run is one process for all specs
    ],
    coverageAnalysis: 'perTest',
    jest: { configFile: 'scripts/mutants/jest.config.mjs', enableFindRelatedTests: false },
    maxTestRunnerReuse: MUTANTS_PER_PROCESS,
    dryRunTimeoutMinutes: 60,
    timeoutMS: 10_000,
    timeoutFactor: 4,
    incremental: options.resume,
    incrementalFile: `${OUT}/${name}-resume.json`,
    reporters: ['json', 'progress-append-only'],
  });
}

async function stryker(name, mutate, settings) {
  const fileName = `${OUT}/${name}-report.json`;
  const run = new Stryker({
    mutate,
    mutator: { excludedMutations: OTHER_MUTATIONS },
    plugins: ['@stryker-mutator/jest-runner'],
    concurrency: Number(options.workers),
    disableTypeChecks: false,
    ignorePatterns: ['/bench', '/coverage', '/demo', '/dist', '/docs'],
    tempDirName: `${OUT}/copy`,
    cleanTempDir: 'always',
    jsonReporter: { fileName },
    logLevel: 'warn',
    allowEmpty: true,
    ...settings,
  });
  rmSync(fileName, { force: true });
  await run.runMutationTest();
  if (!existsSync(fileName)) return []; // no spec was found
  return mutantsOf(JSON.parse(readFileSync(fileName, 'utf8')));
}

/** The mutants of a report: `killedBy` is `null` for one that no test noticed, `reason` says why that is no fault. */
function mutantsOf({ files, testFiles = {} }) {
  const tests = new Map();
  for (const [file, { tests: found }] of Object.entries(testFiles)) {
    for (const { id, name } of found) tests.set(id, `${shortPath(file)} › ${name}`);
  }
  return Object.entries(files).flatMap(([path, { source, mutants }]) => {
    const lines = source.split('\n');
    return mutants
      .filter(({ status }) => status !== 'Ignored')
      .map(({ location: { start, end }, replacement, status, killedBy = [], coveredBy = [] }) => {
        const place = { file: shortPath(path), line: start.line, column: start.column, end };
        const original = cut(lines, start, end);
        const mutant = { ...place, code: lines[start.line - 1].trim(), original, replacement };
        const killer = tests.get(killedBy[0]) ?? { Timeout: 'a timeout', RuntimeError: 'an error' }[status];
        return {
          ...mutant,
          killedBy: killer ?? null,
          reason: reasonOf(mutant),
          isReached: coveredBy.length > 0,
        };
      })
      .toSorted((a, b) => a.line - b.line || a.column - b.column);
  });
}

function cut(lines, start, end) {
  const part = lines.slice(start.line - 1, end.line);
  part[part.length - 1] = part[part.length - 1].slice(0, end.column - 1);
  part[0] = part[0].slice(start.column - 1);
  return oneLine(part.join('\n'));
}

function oneLine(code) {
  return code.replaceAll(/\s+/g, ' ');
}

/** In the copy that Stryker works on, or here. */
function shortPath(path) {
  return relative(ROOT, join(ROOT, path.replace(/^.*\/copy\/sandbox-[^/]+\//, '').replace(`${ROOT}/`, '')));
}

function rangeOf({ file, line, column, end }) {
  return `${file}:${line}:${column - 1}-${end.line}:${end.column}`;
}

function keyOf({ file, line, column, end, replacement }) {
  return [file, line, column, end.line, end.column, replacement].join(' ');
}

/** Mutants are named by their code, since lines move; by their column too, where a line has the same code twice. */
function reasonOf({ file, column, code, original, replacement }) {
  const found = equivalents().find(
    (one) =>
      one.file === file &&
      one.code === code &&
      one.original === original &&
      one.replacement === oneLine(replacement) &&
      (one.column ?? column) === column,
  );
  return found?.reason ?? null;
}

function equivalents() {
  return JSON.parse(readFileSync(join(ROOT, 'scripts/mutants/equivalent.json'), 'utf8'));
}

function titleOf({ file, line, column, original, replacement }) {
  return `${file}:${line}:${column}  ${original}  →  ${oneLine(replacement)}`;
}

function report(results, files) {
  writeFileSync(join(ROOT, OUT, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  const survivors = results.filter(isOpen);
  for (const mutant of results) {
    const { killedBy, reason, isReached } = mutant;
    const nobody = isReached ? 'SURVIVED' : 'SURVIVED: no test gets there';
    console.log(
      `${titleOf(mutant)}\n    ${killedBy ?? (reason === null ? nobody : `changes nothing: ${reason}`)}`,
    );
  }
  const wrong = results.filter(({ killedBy, reason }) => killedBy !== null && reason !== null);
  for (const mutant of wrong) console.error(`Said to change nothing, but a test fails: ${titleOf(mutant)}`);
  const stale = equivalents().filter(
    (one) =>
      results.some(({ file }) => file === one.file) &&
      !results.some(({ code, reason }) => code === one.code && reason !== null),
  );
  for (const { file, code } of stale)
    console.error(`No such mutant any more, in equivalent.json: ${file}: ${code}`);
  const unheard = files.filter((file) => !results.some((mutant) => mutant.file === file));
  for (const file of unheard) console.error(`No spec was asked about ${file}`);
  const killed = results.filter(({ killedBy }) => killedBy !== null).length;
  console.log(
    `\n${results.length} mutants: ${killed} killed, ${results.length - killed - survivors.length} change nothing, ` +
      `${survivors.length} survived. In full: ${OUT}/results.json`,
  );
  process.exitCode = survivors.length + wrong.length + stale.length + unheard.length > 0 ? 1 : 0;
}
