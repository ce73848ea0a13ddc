// Which files does a request pass? Builds the library, makes every function tell when it is entered, starts a Nest app
// on it and records one read, one sign-in and one save.
//
//   npm run request-path
//   npm run request-path -- --platform fastify --backend memory --trace
//   npm run request-path -- --dist ../other/dist --json
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { instrumentFolder } from './request-path/instrument.mjs';
import { recordRequests } from './request-path/measured-app.mjs';
import { Recorder } from './request-path/recorder.mjs';
import { PARTS, summaryOf, traceOf } from './request-path/visits.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const PLATFORMS = ['express', 'fastify'];
const BACKENDS = ['typeorm', 'memory'];

const HELP = `Files that one read, one sign-in and one save pass.

  --dist <folder>      a build to measure; without it, one is made of src
  --platform <name>    ${PLATFORMS.join(' or ')}; without it, both
  --backend <name>     typeorm (better-sqlite3 in memory), the default, or memory
  --trace              every class and helper file that is entered, in order
  --json               the same as JSON

"visited" names classes that are entered again from the outside while the platform calls the library once, on the way in,
in the handler or on the way out; "asked again" names those among them that call no other class, such as a clock. See
request-path/visits.mjs.`;

const { values: options } = parseArgs({
  options: {
    dist: { type: 'string' },
    platform: { type: 'string' },
    backend: { type: 'string', default: 'typeorm' },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const platforms = options.platform === undefined ? PLATFORMS : [options.platform];
for (const name of platforms) expectOneOf('--platform', name, PLATFORMS);
expectOneOf('--backend', options.backend, BACKENDS);

if (options.help) console.log(HELP);
else await measure();

async function measure() {
  const build = copyOfBuild();
  try {
    const recorder = new Recorder(instrumentFolder(build));
    const results = [];
    for (const platform of platforms) {
      const recorded = await recordRequests(build, recorder, { platform, backend: options.backend });
      for (const [request, calls] of Object.entries(recorded)) {
        const trace = options.trace ? { trace: traceOf(calls) } : {};
        results.push({ platform, backend: options.backend, request, ...summaryOf(calls), ...trace });
      }
    }
    if (options.json) console.log(JSON.stringify(results, null, 2));
    else for (const result of results) print(result);
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
}

/** In node_modules, where packages are found and no other tool looks. */
function copyOfBuild() {
  const cache = join(ROOT, 'node_modules/.cache/nest-sessions');
  mkdirSync(cache, { recursive: true });
  const copy = mkdtempSync(join(cache, 'request-path-'));
  try {
    if (options.dist === undefined) {
      const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
      const args = [compiler, '-p', 'tsconfig.build.json', '--outDir', copy];
      execFileSync(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
    } else cpSync(resolve(options.dist), copy, { recursive: true });
    writeFileSync(join(copy, 'package.json'), '{ "type": "module" }\n');
    return copy;
  } catch (error) {
    rmSync(copy, { recursive: true, force: true });
    throw error;
  }
}

function print({ platform, request, files, classes, entries, filesPerPart, visitedTwice, trace = [] }) {
  const parts = PARTS.map((part) => `${part} ${filesPerPart[part]}`).join(', ');
  console.log(`\n${platform}, ${request}: ${files} files (${parts}), ${classes} classes, ${entries} calls`);
  for (const { part, file, className, visits, entries: from } of visitedTwice.filter((one) => !one.isLeaf)) {
    console.log(`  visited ${visits} times, ${part}: ${className} (${file})`);
    for (const entry of from) console.log(`      ${entry}`);
  }
  for (const part of PARTS) {
    const leaves = visitedTwice.filter((one) => one.part === part && one.isLeaf);
    const names = leaves.map(({ className, visits }) => `${className} ${visits}`);
    if (names.length > 0) console.log(`  asked again, ${part}: ${names.join(', ')}`);
  }
  for (const { part, file, className, names } of trace) {
    console.log(
      `  ${part.padEnd(8)}${file}${className === null ? '' : ` ${className}`}: ${names.join(', ')}`,
    );
  }
}

function expectOneOf(option, value, allowed) {
  if (allowed.includes(value)) return;
  console.error(`Expected ${option} to be one of ${allowed.join(', ')}, got ${value}`);
  process.exit(2);
}
