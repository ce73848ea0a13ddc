import { isSameJson, type JsonObject } from './json-data.js';
import type { FlashEntry, SessionContent } from './session-content.js';

/*
 * The changes of one request to the data of its session, and how they are merged into what others have stored meanwhile.
 */

/** What one request changed in its session, to be merged into what is stored by the time that it is saved. */
export interface SessionChanges {
  /** The data was assigned or cleared as a whole: nothing that is stored stays. */
  readonly replace: boolean;
  /** Top-level keys that were added or changed. */
  readonly set: JsonObject;
  /** Top-level keys that were removed. */
  readonly remove: readonly string[];
  readonly flashesAdded: readonly FlashEntry[];
  /** Ids of entries that were read. */
  readonly flashesRead: readonly string[];
}

/** The changes of the data alone, without those of flash messages. */
type DataChanges = Pick<SessionChanges, 'replace' | 'set' | 'remove'>;

/** No flash added or read. */
export const NO_FLASHES = { flashesAdded: [], flashesRead: [] } as const;

/** The changes, per top-level key, that turn `base` into `data`. */
export function diffData(base: JsonObject, data: JsonObject): DataChanges {
  const set: JsonObject = {};
  for (const [key, value] of Object.entries(data)) {
    const before = Object.hasOwn(base, key) ? base[key] : undefined;
    if (before === undefined || !isSameJson(value, before)) set[key] = value;
  }
  return { replace: false, set, remove: Object.keys(base).filter((key) => !Object.hasOwn(data, key)) };
}

/** A new object: `data` with the changes made to it. Other keys stay as they are. */
export function mergeData(data: JsonObject, changes: DataChanges): JsonObject {
  const result: JsonObject = changes.replace ? {} : { ...data };
  for (const key of changes.remove) delete result[key];
  return Object.assign(result, changes.set);
}

export function hasChanges(changes: SessionChanges): boolean {
  return (
    changes.replace ||
    changes.remove.length > 0 ||
    changes.flashesAdded.length > 0 ||
    changes.flashesRead.length > 0 ||
    Object.keys(changes.set).length > 0
  );
}

/** `content` with the changes made. Applying the same changes twice is applying them once. */
export function applyChanges(content: SessionContent, changes: SessionChanges): SessionContent {
  const gone = new Set([...changes.flashesRead, ...changes.flashesAdded.map((entry) => entry.id)]);
  return {
    ...content,
    data: mergeData(content.data, changes),
    flashes: [...content.flashes.filter((entry) => !gone.has(entry.id)), ...changes.flashesAdded],
  };
}
