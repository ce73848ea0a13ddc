import { CronTime } from 'cron';
import { expected, positiveInteger, refuseUnknown, requireObject } from '../core/option-checks.js';
import { DEFAULT_BATCH_SIZE } from '../core/session-pruning.js';

/*
 * The option `cleanup`, and the turns of a cron expression.
 */

/** When expired sessions are deleted, and how much at a time. */
export interface CleanupOptions {
  /**
   * A cron expression of five fields, or of six with seconds first, in the time zone of the process.
   *
   * @default '0 * * * *', every hour
   */
  readonly cron?: string;
  /**
   * Rows that one step looks at, expired or not: an integer of at least 1. It bounds how long one statement takes, not
   * how much is deleted in all.
   *
   * @default 1000
   */
  readonly batchSize?: number;
}

/** The default of `cron`. */
const EVERY_HOUR = '0 * * * *';

/** @throws SessionOptionsError */
export function resolveCleanup(options: CleanupOptions | false = {}): Required<CleanupOptions> | false {
  if (options === false) return false;
  requireObject('cleanup', 'an object { cron, batchSize } or false', options);
  refuseUnknown('`cleanup` option', options, ['cron', 'batchSize']);
  const { cron = EVERY_HOUR, batchSize = DEFAULT_BATCH_SIZE } = options;
  if (!isCron(cron)) throw expected('cleanup.cron', "a cron expression such as '0 * * * *'", cron);
  return { cron, batchSize: positiveInteger('cleanup.batchSize', batchSize) };
}

/**
 * The turn of a cron expression that comes `count` turns after an instant. Counting turns, and not multiples of an
 * interval, is right for expressions that pause at night or over the weekend.
 *
 * @param after milliseconds since the Unix epoch, as what is returned
 */
export function cronTurn(cron: string, after: number, count: number): number {
  const time = new CronTime(cron);
  let turn = new Date(after);
  for (let done = 0; done < count; done++) turn = time.getNextDateFrom(turn).toJSDate();
  return turn.getTime();
}

/** Whether it parses, and comes round in years rather than decades: '0 0 30 2 *' never does. */
function isCron(value: unknown): value is string {
  if (typeof value !== 'string' || value.trim() === '') return false;
  try {
    return cronTurn(value, Date.now(), 3) > 0;
  } catch {
    return false;
  }
}
