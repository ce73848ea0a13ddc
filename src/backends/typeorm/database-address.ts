import type { DataSourceOptions } from 'typeorm';
import { describeKind, describeValue } from '../../core/describe-value.js';
import { SessionOptionsError } from '../../core/session-errors.js';

/*
 * Whether the options of a data source say where its database is.
 */

/** What a person would look for where an option is `undefined`. */
const UNSET =
  'The usual cause is a variable such as process.env.DATABASE_URL that is not set, or is read before the .env file is ' +
  'loaded: return `dataSource` from the factory of SessionModule.forRootAsync() with ConfigService then';

/** Where a database is: what TypeORM's options for a server, or a part of them, say of it. */
type Address = Readonly<Partial<Record<'url' | 'host' | 'socketPath' | 'port' | 'database', unknown>>>;

/**
 * Refuses options that were to say where the database is, and say nothing: drivers would go to another one, at localhost
 * or in memory. A key that is not there at all means the driver's default.
 *
 * @throws SessionOptionsError naming the option, never with a URL, which may hold a password
 */
export function checkAddress(options: DataSourceOptions): void {
  if (options.type === 'sqlite' || options.type === 'better-sqlite3') {
    if (typeof options.database !== 'string' || options.database === '')
      throw badAddress('database', 'a file', options.database);
  } else if (options.type === 'postgres' || options.type === 'mysql' || options.type === 'mariadb') {
    const { replication } = options;
    if (replication === undefined) return checkServer(options, '');
    checkServer(replication.master, 'replication.master.');
    for (const [index, slave] of replication.slaves.entries())
      checkServer(slave, `replication.slaves[${index}].`);
  }
}

function checkServer(address: Address, within: string): void {
  const { url, host, socketPath, port } = address;
  const isPort = Number.isInteger(Number(port)) && Number(port) > 0 && Number(port) < 65_536;
  if (port !== undefined && !isPort) throw badAddress(`${within}port`, 'a port', port);
  if (!isUnset(url)) {
    if (typeof url !== 'string') throw badAddress(`${within}url`, 'a URL as text', url);
    return; // TypeORM prefers what it says
  }
  const isElsewhere = !isUnset(host) || !isUnset(socketPath);
  const wanted = isElsewhere ? (['database'] as const) : (['url', 'host', 'database'] as const);
  const unset = wanted.find((name) => name in address && isUnset(address[name]));
  if (unset !== undefined)
    throw badAddress(`${within}${unset}`, unset === 'url' ? 'a URL' : 'a name', address[unset]);
}

function isUnset(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function badAddress(name: string, wanted: string, got: unknown): SessionOptionsError {
  const shown = isUnset(got) || typeof got === 'number' ? describeValue(got) : describeKind(got);
  const hint = isUnset(got) || Number.isNaN(got) ? `. ${UNSET}` : '';
  return new SessionOptionsError(`\`dataSource.${name}\`: expected ${wanted}, got ${shown}${hint}`);
}
