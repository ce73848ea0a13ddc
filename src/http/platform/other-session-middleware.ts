/**
 * Warns once when another library (express-session, cookie-session) has its sessions at `req.session` too. With
 * `mount: 'middleware'` the first of the two has that property, and what the app keeps goes there.
 */
export class OtherSessions {
  #hasWarned = false;
  /** How many more reads are examined: middleware reads `req.session` during the first requests of an app. */
  #readsLeft = 100;

  /**
   * The warning when `req.session` is read by express-session, which then leaves the request alone; `null` for all other
   * reads, and once it has been given.
   *
   * @param getter the function that is read: whoever called it is meant
   */
  aboutReader(getter: () => unknown): string | null {
    if (this.#hasWarned || this.#readsLeft === 0) return null;
    this.#readsLeft--;
    if (!/[\\/]express-session[\\/]/.test(callerOf(getter))) return null;
    this.#hasWarned = true;
    return READ_BY_IT;
  }

  /** The warning when `req.session` belongs to somebody else; `null` once it has been given. */
  aboutOwner(): string | null {
    if (this.#hasWarned) return null;
    this.#hasWarned = true;
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
