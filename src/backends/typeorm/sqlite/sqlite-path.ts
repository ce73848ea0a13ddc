import { parse, resolve, format } from 'node:path';
import type { DataSourceOptions } from 'typeorm';

/*
 * Which file SQLite opens for the options of a data source, and which one holds the sessions beside it.
 */

/** The file of a data source on SQLite, as an absolute path. `null`: the database is in memory. */
export function databasePath(options: DataSourceOptions): string | null {
  return databaseFile(String(options.database), options.type === 'sqlite' ? options.flags : undefined);
}

/** The file for sessions beside the one of a data source, as an absolute path. `null`: both are in memory. */
export function sessionsPath(options: DataSourceOptions): string | null {
  const file = databasePath(options);
  return file === null ? null : sessionsFileBeside(file);
}

/** SQLite's flags for opening: the name may be a URI; the database is in memory. */
const OPEN_URI = 0x40;
const OPEN_MEMORY = 0x80;

/**
 * The file that SQLite opens for TypeORM's `database` and `flags` options, as an absolute path. `null`: none, the
 * database is in memory.
 */
export function databaseFile(database: string, flags = 0): string | null {
  if (database === '' || database === ':memory:' || (flags & OPEN_MEMORY) !== 0) return null;
  if ((flags & OPEN_URI) === 0 || !database.startsWith('file:')) return resolve(database);
  const [name = '', query] = database.slice('file:'.length).split('#', 1).join('').split('?');
  const path = decodeURIComponent(name.replace(/^\/\/(localhost)?(?=\/)/, ''));
  const isInMemory = new URLSearchParams(query).get('mode') === 'memory';
  return isInMemory || path === '' || path === ':memory:' ? null : resolve(path);
}

/** The file for sessions beside the app's: `app.sqlite` has `app.sessions.sqlite`, `app` has `app.sessions`. */
export function sessionsFileBeside(appFile: string): string {
  const { dir, name, ext } = parse(appFile);
  return format({ dir, name: `${name}.sessions`, ext });
}
