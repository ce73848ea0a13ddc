// Does a request still do as much as it did? Counts the functions of the library that one read, one sign-in and one save
// enter, and the bytes that they allocate, and compares both with scripts/request-budget/budget.json. What counts is not time:
// it is the same on a machine that is busy.
//
//   npm run check:budget
//   npm run check:budget -- --update     after a change that is meant to do more
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BUDGET = join(ROOT, 'scripts/request-budget/budget.json');
const PLATFORMS = ['express', 'fastify'];

/** What a figure may be more than its budget. */
const SLACK = 1.1;

const { values: options } = parseArgs({ options: { update: { type: 'boolean', default: false } } });

const build = makeBuild();
try {
  const measured = figuresOf(build);
  if (options.update) writeFileSync(BUDGET, `${JSON.stringify({ node: major(), ...measured }, null, 2)}\n`);
  else compare(measured, JSON.parse(readFileSync(BUDGET, 'utf8')));
} finally {
  rmSync(build, { recursive: true, force: true });
}

/** In node_modules, where its packages are found and no other tool looks. */
function makeBuild() {
  const cache = join(ROOT, 'node_modules/.cache/nest-sessions');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'request-budget-'));
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  run(compiler, ['-p', 'tsconfig.build.json', '--outDir', join(folder, 'dist')]);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  return folder;
}

/** By what was asked of which platform: functions entered, and bytes allocated by the library and in all. */
function figuresOf(folder) {
  const copy = join(folder, 'counted');
  cpSync(join(folder, 'dist'), copy, { recursive: true });
  const paths = JSON.parse(run(join(ROOT, 'scripts/request-path.mjs'), ['--dist', copy, '--json']));
  const entries = paths.map(({ platform, request, entries: calls }) => [`${platform} ${request}`, { calls }]);
  const figures = Object.fromEntries(entries);
  const allocations = join(ROOT, 'scripts/request-budget/allocations.mjs');
  for (const platform of PLATFORMS) {
    const allocated = JSON.parse(run(allocations, [join(folder, 'dist'), platform]));
    for (const [request, bytes] of Object.entries(allocated))
      Object.assign(figures[`${platform} ${request}`], bytes);
  }
  return { figures };
}

function run(script, args) {
  return execFileSync(process.execPath, [script, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

function major() {
  return Number(process.versions.node.split('.')[0]);
}

/** Prints every figure beside its budget. What one Node allocates says nothing of another. */
function compare({ figures }, budget) {
  const comparesBytes = budget.node === major();
  if (!comparesBytes)
    console.log(`Bytes are not compared: the budget is that of Node ${budget.node}, this is Node ${major()}`);
  let isOver = false;
  for (const [request, measured] of Object.entries(figures)) {
    const cells = Object.entries(measured).map(([name, value]) => {
      const least = budget.figures[request]?.[name] ?? 0;
      const isHeld = name === 'calls' || comparesBytes;
      const isTooMuch = isHeld && value > least * SLACK;
      isOver ||= isTooMuch;
      return `${name} ${value} (${least})${isTooMuch ? ' TOO MUCH' : ''}`;
    });
    console.log(`${request}: ${cells.join(', ')}`);
  }
  if (!isOver) return;
  console.error(
    `A request does more than ${Math.round(100 * (SLACK - 1))} % above its budget. If it is meant to, write it down: ` +
      'npm run check:budget -- --update',
  );
  process.exitCode = 1;
}
