import TestRunner from 'jest-runner'; // the one that comes with Jest
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';

/** Set by Stryker while it asks about a mutant; missing in the first run, which no mutant is active in. */
const ACTIVE_MUTANT = '__STRYKER_ACTIVE_MUTANT__';

/**
 * Runs what can tell about a mutant, and no more. Stryker names the tests that reach a mutant, but lets Jest load every
 * spec file to find them, and cannot make Jest stop: files without such a test are left out here, the fastest file goes
 * first, and the first failure is the last.
 */
export default class FirstFailureRunner extends TestRunner {
  #testNamePattern;

  constructor(globalConfig, context) {
    super(globalConfig, context);
    this.#testNamePattern = globalConfig.testNamePattern;
  }

  async runTests(tests, watcher, options) {
    const isFirstRun = process.env[ACTIVE_MUTANT] === undefined;
    const notes = isFirstRun ? {} : readNotes();
    let hasFailed = false;
    this.on('test-file-failure', () => (hasFailed = true));
    this.on('test-file-success', ([test, result]) => {
      hasFailed ||= result.numFailingTests > 0 || result.testExecError !== undefined;
      notes[keyOf(test)] = {
        duration: result.perfStats.runtime,
        tests: result.testResults.map(({ fullName }) => fullName),
      };
    });
    for (const test of this.#chosen(tests, notes)) {
      await super.runTests([test], watcher, { ...options, serial: true });
      if (hasFailed && !isFirstRun) return;
    }
    if (isFirstRun) writeFileSync(process.env.MUTANTS_NOTES, JSON.stringify(notes));
  }

  #chosen(tests, notes) {
    const pattern = new RegExp(this.#testNamePattern ?? '', 'i');
    const isConcerned = (test) => notes[keyOf(test)]?.tests.some((name) => pattern.test(name)) ?? true;
    const duration = (test) => notes[keyOf(test)]?.duration ?? 0;
    return tests.filter(isConcerned).toSorted((a, b) => duration(a) - duration(b));
  }
}

/** Duration and tests of each spec file, as the first run noted them. */
function readNotes() {
  const path = process.env.MUTANTS_NOTES;
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
}

function keyOf({ path, context }) {
  return relative(context.config.rootDir, path);
}
