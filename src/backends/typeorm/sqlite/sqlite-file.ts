import { accessSync, closeSync, constants, existsSync, openSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { driverErrorOf } from '../driver-error.js';
import { SqliteFailure } from './sqlite-failure.js';

/**
 * The file of a database, and whether it still is the one that was opened. SQLite would go on with a deleted file
 * until its last handle is closed, and everything written would be lost then.
 */
export class SqliteFile {
  #opened: string | null = null;
  #openedLogs = new Map<string, string>();

  /** @param path absolute */
  constructor(readonly path: string) {}

  /**
   * Refuses what TypeORM or SQLite would silently do: create a missing folder, or the file when it may not be, or
   * open a read-only file for reading, with a log beside it that stays read-only for ever.
   */
  checkAccess(mayCreate: boolean): void {
    const folder = dirname(this.path);
    if (!existsSync(folder)) {
      throw new SqliteFailure('SQLITE_CANTOPEN', `the folder '${folder}' does not exist. Create it first`);
    }
    if (existsSync(this.path)) {
      if (!isWritable(this.path)) {
        throw new SqliteFailure('SQLITE_READONLY', 'SQLITE_READONLY: this process may not write the file');
      }
    } else if (!mayCreate) {
      throw new SqliteFailure(
        'SQLITE_CANTOPEN',
        'the file does not exist, and `createTable` is false. Run your migrations first, or set `createTable: true`',
      );
    }
  }

  /**
   * Creates the file if it is absent, for this user alone, before SQLite would with what the umask leaves. SQLite gives
   * the write-ahead log the mode of the file. One that is there keeps the mode that somebody chose.
   *
   * @returns whether every user of the machine may read or write the file. On Windows modes do not say.
   */
  create(): { readonly isOpenToAll: boolean } {
    const there = statSync(this.path, { throwIfNoEntry: false });
    if (there)
      return {
        isOpenToAll: process.platform !== 'win32' && there.isFile() && (there.mode & OTHERS_MASK) !== 0,
      };
    try {
      // Exclusively: to close a file that SQLite has open in this process would give up its locks.
      closeSync(openSync(this.path, 'wx', OWNER_READS_AND_WRITES));
    } catch {
      if (!existsSync(this.path)) this.#createBehindLink();
    }
    return { isOpenToAll: false };
  }

  /** What is in the way may be a symbolic link that leads nowhere yet. */
  #createBehindLink(): void {
    try {
      closeSync(openSync(this.path, 'a', OWNER_READS_AND_WRITES));
    } catch (cause) {
      const { message } = driverErrorOf(cause);
      throw new SqliteFailure('SQLITE_CANTOPEN', `SQLITE_CANTOPEN: ${message}`, { cause });
    }
  }

  /** Remembers which file has been opened. Its inode cannot be given to another file while it is open. */
  remember(): void {
    this.#opened = identity(this.path);
    this.#openedLogs = new Map();
    for (const path of [`${this.path}-wal`, `${this.path}-shm`]) {
      const log = identity(path);
      if (log !== null) this.#openedLogs.set(path, log);
    }
  }

  /** Whether the path leads elsewhere, or nowhere, by now. One `stat`, so that every statement can ask. */
  get isLost(): boolean {
    return this.#opened === null || this.#opened !== identity(this.path);
  }

  /**
   * Forgets the file, before its connection is closed. If it is lost, but its write-ahead log still lies beside the
   * path, that is deleted: SQLite would replay it into whatever file is put there next, for example a backup.
   */
  forget(): void {
    const logs = this.isLost ? this.#openedLogs : new Map<string, string>();
    this.#opened = null;
    this.#openedLogs = new Map();
    for (const [path, opened] of logs) {
      if (identity(path) === opened) remove(path);
    }
  }
}

/** May be read and written by its owner. */
const OWNER_READS_AND_WRITES = 0o600;
/** What users have that are neither the owner nor of the group. */
const OTHERS_MASK = 0o007;

/** Device and inode. `null`: there is no such file, or it cannot be reached. */
function identity(path: string): string | null {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat ? `${stat.dev}:${stat.ino}` : null;
  } catch {
    return null;
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function remove(path: string): void {
  try {
    rmSync(path);
  } catch {
    // Another process was faster, or the folder is read-only; then no file can be put there either.
  }
}
