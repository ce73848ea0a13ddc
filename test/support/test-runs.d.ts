export declare const LEFT_OUT: readonly string[];

export declare const LONGEST: readonly string[];

export declare const STEPS: ReadonlyArray<{
  readonly name: string;
  /** One of package.json. */
  readonly script: string;
}>;

/** A test that has run. */
export interface Ran {
  /** Path of its file below `test`. */
  readonly spec: string;
  readonly project: string;
  /** What it stands in, from the outside in. */
  readonly titles: readonly string[];
}

/** A run that is over. */
export interface Run {
  /** Whether it was not narrowed down, to some specs or projects. */
  readonly isWhole: boolean;
  /** Files with a test that ran; one counts again in each project. */
  readonly files: number;
  /** Tests that passed or failed. */
  readonly ran: readonly Ran[];
  /** Of the random runs. */
  readonly share: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Of `STEPS`, by script; those that did not run are absent. */
  readonly steps: Readonly<Record<string, 'passed' | 'failed'>>;
}

export declare function summaryOf(run: Run): string[];
