/**
 * Says once that the app has other sessions beside ours at `req.session`, which is one property for all: with
 * `mount: 'middleware'`, whichever comes first has it, and what the app keeps lands there.
 */
export class OtherSessions {
  #isSaid = false;
  /** Reads that are looked at: middleware of an app has read `req.session` by its first requests. */
  #left = 100;

  /**
   * The warning when `req.session` is read by express-session, which then leaves the request alone; `null` for all other
   * reads, and once it has been given.
   *
   * @param getter the function that is read: whoever called it is meant
   */
  aboutReader(getter: () => unknown): string | null {
    if (this.#isSaid || this.#left === 0) return null;
    this.#left--;
    if (!/[\\/]express-session[\\/]/.test(callerOf(getter))) return null;
    this.#isSaid = true;
    return READ_BY_IT;
  }

  /** The warning when `req.session` belongs to somebody else; `null` once it has been given. */
  aboutOwner(): string | null {
    if (this.#isSaid) return null;
    this.#isSaid = true;
    return NOT_OURS;
  }
}

function callerOf(callee: () => unknown): string {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 1;
  const trace: { stack?: string } = {};
  Error.captureStackTrace(trace, callee);
  Error.stackTraceLimit = stackTraceLimit;
  return String(trace.stack);
}

const REMEDY =
  "Take the other middleware out of the app (docs/from-express-session.md), or `mount: 'middleware'` out of the " +
  'options if each is to keep its own. This is said once.';

const READ_BY_IT =
  "express-session found `req.session` there, since `mount: 'middleware'` puts ours there before it, and leaves requests " +
  `alone: its options and its store are not used, and what the app keeps in \`req.session\` lands in ours. ${REMEDY}`;

const NOT_OURS =
  "Expected `req.session` to be ours with `mount: 'middleware'`, got one of other middleware, such as express-session or " +
  'cookie-session: what the app or Passport keeps there lands in theirs, and a sign-in by Passport is none of ours. ' +
  REMEDY;
