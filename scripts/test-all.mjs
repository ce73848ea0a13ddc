// Everything there is to run: every spec, on every database, and beside them what `STEPS` names. With arguments, only the
// specs: they go to Jest.
//
//   npm run test:all
//   npm run test:all -- test/e2e
//   npm run test:all -- --selectProjects typeorm-1
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runWhole } from '../test/support/whole-run.js';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const args = process.argv.slice(2);
const nodeOptions = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
const jest = [...nodeOptions, 'node_modules/jest/bin/jest.js', '--config', 'jest.all.config.js', ...args];

const isFine =
  args.length > 0
    ? spawnSync(process.execPath, jest, { stdio: 'inherit' }).status === 0
    : await runWhole({
        jest: [process.execPath, ...jest],
        pack: (folder) => ['bash', 'scripts/pack.sh', folder],
        step: (script) => ['npm', 'run', script],
      });
process.exitCode = isFine ? 0 : 1;
