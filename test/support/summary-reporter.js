/**
 * Ends the run with one line for machines: `12 passed, 0 failed`, and `, 1 skipped` if any.
 * A suite that fails without a failing test (it does not compile, a hook throws) counts as one failure.
 *
 * The line is written when the process exits, because Jest prints its own summary after every reporter.
 */
export default class SummaryReporter {
  #line = '0 passed, 1 failed'; // stands if the run is cut short

  constructor() {
    process.once('exit', () => process.stdout.write(`${this.#line}\n`));
  }

  onRunComplete(_contexts, results) {
    const brokenSuites = results.testResults.filter(
      (suite) => suite.numFailingTests === 0 && (suite.testExecError || suite.failureMessage),
    ).length;
    const failed = results.numFailedTests + brokenSuites || (results.wasInterrupted ? 1 : 0);
    const skipped = results.numPendingTests + results.numTodoTests;

    this.#line = `${results.numPassedTests} passed, ${failed} failed`;
    if (skipped > 0) this.#line += `, ${skipped} skipped`;
  }
}
