import type { EpochMs } from '../../../core/session-row.js';
import { performance } from '../../../core/timers.js';
import type { SqlRunner } from '../sql-connection.js';

/**
 * What the clock of a server says now, as far as that can be told: it was read somewhere between question and answer, most
 * likely half-way.
 *
 * @param statement a SELECT of `now`, in milliseconds since the Unix epoch
 * @returns `null`: the answer took too long to tell
 */
export async function readClock(sql: SqlRunner, statement: string): Promise<EpochMs | null> {
  const begun = performance.now();
  const [row] = await sql.all(statement, []);
  const took = performance.now() - begun;
  return row === undefined || took > SLOWEST ? null : Number(row.now) + took / 2;
}

/** Milliseconds that an answer may take: it is off by half of them at most. */
const SLOWEST = 500;
