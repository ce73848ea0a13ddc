import { parse, resolve, format } from 'node:path';

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
