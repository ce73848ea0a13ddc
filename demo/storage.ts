import type { SessionOptions } from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import { join } from 'node:path';
import { DATA_FOLDER } from './settings.js';

/** Where sessions are kept. */
export interface Storage {
  /** What the pages call it. */
  readonly name: string;
  /** What the module is told of it. */
  readonly options: Pick<SessionOptions, 'backend' | 'dataSource' | 'live'>;
}

/** Where this app keeps them. */
export const STORAGE: Storage = storageFrom(process.env, DATA_FOLDER);

/**
 * SQLite, in a file in that folder, unless the environment names something else: `DATABASE_URL` a PostgreSQL, MySQL or
 * MariaDB server, `STORAGE` (`sqlite` or `memory`) what needs none.
 *
 * @throws when it names something that there is not
 */
function storageFrom(environment: NodeJS.ProcessEnv, folder: string): Storage {
  const { STORAGE: wanted, DATABASE_URL: url } = environment;
  if (wanted === 'memory')
    return { name: 'the memory of this process', options: { backend: new MemorySessionBackend() } };
  if (wanted === 'sqlite' || (wanted === undefined && url === undefined)) {
    const database = join(folder, 'sessions.sqlite');
    return { name: 'SQLite', options: { dataSource: { type: 'sqlite', database } } };
  }
  if (wanted !== undefined || url === undefined)
    throw new Error(`STORAGE: expected sqlite or memory, got ${wanted}`);
  switch (URL.canParse(url) && new URL(url).protocol) {
    case 'postgres:':
    case 'postgresql:':
      // What other processes end is known here in milliseconds, rather than in five seconds.
      return {
        name: 'PostgreSQL',
        options: { dataSource: { type: 'postgres', url }, live: { bus: 'storage' } },
      };
    case 'mysql:':
    case 'mariadb:':
      return { name: 'MySQL', options: { dataSource: { type: 'mysql', url } } };
    default: // never shown: an address holds a password
      throw new Error('DATABASE_URL: expected postgres://user:password@host/database, or mysql://…');
  }
}
