/** An error of one row, which says nothing about others: whoever asked for several asks for them one by one. */
export class RowError extends Error {
  override readonly name: string = 'RowError';
}

/** Storage holds something else where the row of a session should be. */
export class DamagedRowError extends RowError {
  override readonly name = 'DamagedRowError';
}
