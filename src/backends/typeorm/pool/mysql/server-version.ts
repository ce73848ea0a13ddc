/** Earliest versions that can skip locked rows. */
const MYSQL = [8, 0, 1];
const MARIADB = [10, 6, 0];

/** Whether sessions work on a server that calls itself so, such as `8.4.3` or `5.5.5-10.11.6-MariaDB-log`. */
export function isSupported(version: string): boolean {
  const isMariaDb = /mariadb/i.test(version);
  const numbers = version
    .replace(/^5\.5\.5-/, '') // what MariaDB puts first for old clients
    .split(/[.-]/, 3)
    .map(Number);
  return compare(numbers, isMariaDb ? MARIADB : MYSQL) >= 0;
}

function compare(one: readonly number[], other: readonly number[]): number {
  const differing = other.findIndex((value, index) => one[index] !== value);
  return differing < 0 ? 0 : (one[differing] ?? 0) - (other[differing] ?? 0);
}
