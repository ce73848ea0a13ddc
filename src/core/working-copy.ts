import { cloneJson, isSameJson, type JsonObject, toJsonObject } from './json-data.js';
import { diffData, mergeData, type SessionChanges } from './merge-changes.js';
import type { FlashEntry, FlashMessage, SessionContent } from './session-content.js';

/*
 * The data and flash messages of a session while a request works with them.
 */

/** The changes of a working copy at one moment, and the data that they were taken from. */
export interface Snapshot {
  readonly changes: SessionChanges;
  readonly data: JsonObject;
  /** How often the data had been replaced as a whole. */
  readonly replacements: number;
}

/**
 * The data of a session as one request sees and changes it, and what the request has changed so far. `data` keeps
 * its identity while it is saved, merged and saved again, so that references into it stay good.
 */
export class WorkingCopy {
  #base: JsonObject;
  #data: JsonObject | null = null;
  #replacements = 0;
  /** Of these, how many are stored. */
  #replacementsStored = 0;
  #flashes: readonly FlashEntry[];
  #added: readonly FlashEntry[] = [];
  #read: readonly string[] = [];
  /** Ids of added entries that are in a snapshot, so that storage may hold them. */
  readonly #offered = new Set<string>();

  constructor(content: Pick<SessionContent, 'data' | 'flashes'>) {
    this.#base = content.data;
    this.#flashes = content.flashes;
  }

  /** Whether nothing has been read or changed, so that there is nothing to compare. */
  get isUntouched(): boolean {
    return this.#data === null && this.#added.length === 0 && this.#read.length === 0;
  }

  /** Whether there is certainly nothing to save, found out without copying. When `false`, only `snapshot` can tell. */
  get isUnchanged(): boolean {
    return this.isUntouched || (this.#added.length === 0 && this.#read.length === 0 && this.#isDataUnchanged);
  }

  /** The data, to be read and changed in place. Changes at any depth are found by the next `snapshot`. */
  get data(): JsonObject {
    return (this.#data ??= cloneJson(this.#base));
  }

  /** Replaces the data as a whole: nothing that is stored stays. */
  replace(data: unknown): void {
    this.#data = toJsonObject(data);
    this.#replacements++;
  }

  /** Adds a message for the next `readFlashes`, of this request or a later one. */
  addFlash(entry: FlashEntry): void {
    this.#added = [...this.#added, entry];
  }

  /** All messages that have not been read yet. Reading removes them, in storage with the next save. */
  readFlashes(): FlashMessage[] {
    const all = [...this.#flashes, ...this.#added];
    const stored = [...this.#flashes, ...this.#added.filter((entry) => this.#offered.has(entry.id))];
    this.#read = [...this.#read, ...stored.map((entry) => entry.id)];
    this.#flashes = [];
    this.#added = [];
    return all.map(({ kind, text }) => ({ kind, text }));
  }

  /**
   * What has changed since the last `rebase`.
   *
   * @throws SessionDataError when the data is not JSON
   */
  snapshot(): Snapshot {
    const flashes = { flashesAdded: this.#added, flashesRead: this.#read };
    for (const entry of this.#added) this.#offered.add(entry.id);
    const replacements = this.#replacements;
    if (this.#isDataUnchanged) {
      const changes = { replace: false, set: {}, remove: [], ...flashes };
      return { data: this.#base, replacements, changes };
    }
    const data = toJsonObject(this.#data);
    const isReplaced = replacements > this.#replacementsStored;
    const changes = isReplaced ? { replace: true, set: data, remove: [] } : diffData(this.#base, data);
    return { data, replacements, changes: { ...changes, ...flashes } };
  }

  /**
   * Goes on from `content`, which storage holds now: the changes of the snapshot and those of other requests. Changes that
   * were made since the snapshot are kept, and are still to be saved.
   */
  rebase(snapshot: Snapshot, content: Pick<SessionContent, 'data' | 'flashes'>): void {
    const { flashesAdded, flashesRead } = snapshot.changes;
    const stored = new Set(flashesAdded.map((entry) => entry.id));
    const read = new Set(this.#read);
    this.#added = this.#added.filter((entry) => !stored.has(entry.id));
    this.#read = this.#read.filter((id) => !flashesRead.includes(id));
    this.#flashes = content.flashes.filter((entry) => !read.has(entry.id));
    this.#replacementsStored = snapshot.replacements;
    this.#base = this.#rebaseData(snapshot, content.data);
  }

  get #isDataUnchanged(): boolean {
    if (this.#data === null) return true;
    return this.#replacements === this.#replacementsStored && isSameJson(this.#data, this.#base);
  }

  /** Merges what others have stored into the data. Returns what the data is to be compared with from now on. */
  #rebaseData(snapshot: Snapshot, stored: JsonObject): JsonObject {
    const live = this.#data;
    if (live === null || this.#replacements > snapshot.replacements) return stored;
    if (isSameJson(live, stored)) return stored;
    try {
      const current = toJsonObject(live);
      const { set, remove } = diffData(current, mergeData(stored, diffData(snapshot.data, current)));
      for (const key of remove) delete live[key];
      Object.assign(live, cloneJson(set));
      return stored;
    } catch {
      return snapshot.data; // what has been put there since is not JSON: the next `snapshot` says so
    }
  }
}
