/** A program and its arguments. */
export type Command = readonly [program: string, ...args: string[]];

/**
 * `npm run test:all` without arguments: Jest, and beside it every step of `STEPS`, which need what Jest leaves of the
 * processors. Jest prints as it goes. What a step prints comes whole when the step has ended, with its result behind it;
 * what the run says of itself comes last, whatever ended last. A Jest that ends without results is one failure.
 *
 * @returns whether everything passed
 */
export declare function runWhole(commands: {
  /** Its reporter leaves the results in the file `TEST_RESULTS`, in place of the last lines. */
  readonly jest: Command;
  /** Packs the package into a folder and prints the path of the tarball: the steps find it in `PACKAGE_TARBALL`. */
  readonly pack: (folder: string) => Command;
  /** Runs a script of package.json. */
  readonly step: (script: string) => Command;
}): Promise<boolean>;
