import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { STEPS, summaryOf } from './test-runs.js';

/** What stands for Jest's results when it ends without any. */
const CUT_SHORT = { isWhole: false, files: 0, ran: [], share: 1, passed: 0, failed: 1, skipped: 0 };

/** What it promises is in whole-run.d.ts. */
export async function runWhole({ jest, pack, step }) {
  const folder = mkdtempSync(join(tmpdir(), 'test-all-'));
  const results = join(folder, 'results.json');
  try {
    const [tests, steps] = await Promise.all([
      run(jest, { stdio: 'inherit', env: { ...process.env, TEST_RESULTS: results } }),
      runSteps(pack(folder), step, folder),
    ]);
    const ofJest = existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : CUT_SHORT;
    console.log(summaryOf({ ...ofJest, steps }).join('\n'));
    return tests.isFine && !Object.values(steps).includes('failed');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * All of them at once, with one tarball: two builds would write the same `dist`. What one has installed, the others take
 * over in the folder `MODULES`.
 */
async function runSteps(pack, step, folder) {
  const packed = await run(pack);
  const tarball = packed.isFine ? { PACKAGE_TARBALL: packed.stdout.trim() } : {};
  const env = { ...process.env, ...tarball, MODULES: folder };
  const ended = STEPS.map(async ({ name, script }) => {
    const started = performance.now();
    const { isFine, output } = await run(step(script), { env });
    const seconds = Math.round((performance.now() - started) / 1000);
    const last = `-- ${isFine ? 'ok' : 'FAILED'}, ${seconds} s: npm run ${script}\n`;
    console.log(`\n== ${name}: npm run ${script}\n${packed.isFine ? '' : packed.output}${output}${last}`);
    return [script, isFine ? 'passed' : 'failed'];
  });
  return Object.fromEntries(await Promise.all(ended));
}

/** @returns whether it ended well, what it wrote to stdout, and what it wrote there and to stderr; nothing of what it inherits */
function run([program, ...args], options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const stdout = [];
  const output = [];
  child.stdout?.on('data', (chunk) => stdout.push(chunk));
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => output.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({
        isFine: code === 0,
        stdout: String(Buffer.concat(stdout)),
        output: String(Buffer.concat(output)),
      });
    });
  });
}
