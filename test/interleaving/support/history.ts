import type { JsonObject } from '../../../src/core/json-data.js';

/** A change of one session's data, and between which steps it was made. */
export interface Write {
  /** `set`: one key. `push`: one entry of the list in `LIST`. `replace`: everything. */
  readonly kind: 'set' | 'push' | 'replace';
  readonly key?: string;
  readonly value?: unknown;
  readonly data?: JsonObject;
  readonly began: number;
  /** When it was acknowledged. `Infinity`: never, so that it may have been made, or may yet be. */
  ended: number;
  /** It was refused: it must not have been made. */
  isRefused: boolean;
}

/** Keys that writes set, each time to a value of its own. */
export const KEYS = ['a', 'b', 'c'];
/** The key of a list that only atomic updates add to. */
export const LIST = 'list';

/**
 * What may be stored after these writes; a complaint, or `null`. A write stands unless one that began after it had
 * been acknowledged was acknowledged too: of writes that overlap, either may be the last.
 */
export function findLostWrite(writes: readonly Write[], data: JsonObject): string | null {
  const made = writes.filter((write) => !write.isRefused);
  for (const key of KEYS) {
    const all = made.filter(
      (write) => write.kind === 'replace' || (write.kind === 'set' && write.key === key),
    );
    const latest = Math.max(-1, ...all.map((write) => (write.ended === Infinity ? -1 : write.began)));
    const standing = all.filter((write) => write.ended >= latest);
    const possible = standing.map((write) => (write.kind === 'replace' ? write.data?.[key] : write.value));
    if (latest === -1) possible.push(undefined);
    if (!possible.includes(data[key])) {
      return `'${key}' is ${JSON.stringify(data[key])}, and could only be one of ${JSON.stringify(possible)}`;
    }
  }
  return findLostEntry(made, (data[LIST] ?? []) as readonly unknown[]);
}

function findLostEntry(made: readonly Write[], list: readonly unknown[]): string | null {
  const replaces = made.filter((write) => write.kind === 'replace');
  const pushes = made.filter((write) => write.kind === 'push').map((write) => ({ ...write, by: write }));
  for (const by of replaces) {
    for (const value of (by.data?.[LIST] ?? []) as readonly unknown[]) pushes.push({ ...by, value, by });
  }
  for (const { value, began, ended, by } of pushes) {
    const count = list.filter((each) => each === value).length;
    if (count > 1) return `the entry ${String(value)} is there ${count} times`;
    const isAcknowledged = ended !== Infinity;
    if (count === 0 && isAcknowledged && !replaces.some((each) => each !== by && each.ended >= began)) {
      return `the entry ${String(value)} is lost`;
    }
    if (count === 1 && replaces.some((each) => each.ended !== Infinity && each.began > ended)) {
      return `the entry ${String(value)} is back`;
    }
  }
  const known = new Set(pushes.map((write) => write.value));
  const foreign = list.find((each) => !known.has(each));
  return foreign === undefined ? null : `the entry ${JSON.stringify(foreign)} was refused, and is there`;
}
