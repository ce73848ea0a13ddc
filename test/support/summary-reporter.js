import { writeFileSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { summaryOf } from './test-runs.js';

/**
 * Ends the run with what ran, what did not, and one line for machines: `12 passed, 0 failed`, and `, 1 skipped` if any.
 * A suite that fails without a failing test (it does not compile, a hook throws) counts as one failure.
 *
 * The lines are written when the process exits, because Jest prints its own summary after every reporter. Where more runs
 * beside Jest (see whole-run.js), its results go to the file `TEST_RESULTS` instead.
 */
export default class SummaryReporter {
  #config;
  #lines = ['0 passed, 1 failed']; // stands if the run is cut short

  constructor(globalConfig) {
    this.#config = globalConfig;
    if (process.env.TEST_RESULTS) return;
    process.once('exit', () => process.stdout.write(`${this.#lines.join('\n')}\n`));
  }

  onRunComplete(contexts, results) {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = results;
    const brokenSuites = testResults.filter(
      (suite) => suite.numFailingTests === 0 && (suite.testExecError || suite.failureMessage),
    ).length;
    const [{ config }] = contexts;
    const files = testResults.map(testsThatRan).filter((tests) => tests.length > 0);
    const run = {
      isWhole: !isNarrowed(this.#config) && contexts.size === this.#config.projects.length,
      files: files.length,
      ran: files.flat(),
      share: Number(process.env.RUNS ?? config.globals.SHARE_OF_RANDOM_RUNS),
      passed: numPassedTests,
      failed: numFailedTests + brokenSuites || (results.wasInterrupted ? 1 : 0),
      skipped: numPendingTests + numTodoTests,
    };
    if (process.env.TEST_RESULTS) writeFileSync(process.env.TEST_RESULTS, JSON.stringify(run));
    this.#lines = summaryOf({ ...run, steps: {} });
  }
}

function testsThatRan({ testFilePath, displayName, testResults }) {
  const spec = relative('test', testFilePath).split(sep).join('/');
  return testResults
    .filter(({ status }) => status === 'passed' || status === 'failed')
    .map(({ ancestorTitles }) => ({ spec, project: displayName?.name ?? '', titles: ancestorTitles }));
}

/** Whether there is more than what the configuration names. */
function isNarrowed({
  testPathPatterns,
  testNamePattern,
  onlyChanged,
  findRelatedTests,
  runTestsByPath,
  shard,
}) {
  return Boolean(
    testPathPatterns?.isSet() ||
    testNamePattern ||
    onlyChanged ||
    findRelatedTests ||
    runTestsByPath ||
    shard,
  );
}
