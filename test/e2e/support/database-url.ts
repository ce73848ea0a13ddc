import type { TestDatabase } from '../../support/databases.js';

/** The address of a database on a server, as `DATABASE_URL` has it. */
export function databaseUrl(database: TestDatabase): string {
  const { host, port, username, password, database: name } = database.options() as ServerOptions;
  const account = [username, password].filter((part) => part).map((part) => encodeURIComponent(part ?? ''));
  return `${database.kind}://${account.join(':')}@${host}:${port}/${name}`;
}

interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password?: string;
  readonly database: string;
}
