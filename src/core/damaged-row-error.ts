/** Storage holds something else where the row of a session should be. It says nothing about other rows. */
export class DamagedRowError extends Error {
  override readonly name = 'DamagedRowError';
}
