// Everything there is to run: what `STEPS` names, then every spec, on every database. With arguments, only the specs:
// they go to Jest.
//
//   npm run test:all
//   npm run test:all -- test/e2e
//   npm run test:all -- --selectProjects typeorm-1
import { spawnSync } from 'node:child_process';
import { STEPS } from '../test/support/test-runs.js';

const ROOT = new URL('..', import.meta.url);
const args = process.argv.slice(2);

const steps = {};
for (const { name, script } of args.length === 0 ? STEPS : []) {
  console.log(`\n== ${name}: npm run ${script}`);
  steps[script] = run('npm', ['run', script]) ? 'passed' : 'failed';
}
const jest = ['node_modules/jest/bin/jest.js', '--config', 'jest.all.config.js', ...args];
const nodeOptions = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
const isFine = run(process.execPath, [...nodeOptions, ...jest], { TEST_STEPS: JSON.stringify(steps) });
process.exitCode = isFine && !Object.values(steps).includes('failed') ? 0 : 1;

function run(program, programArgs, env = {}) {
  const options = { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...env } };
  return spawnSync(program, programArgs, options).status === 0;
}
