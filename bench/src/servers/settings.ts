/** What a server process is told. */
export interface ServerSettings {
  readonly contender: string;
  readonly platform: 'express' | 'fastify';
  /** Folder for files of this run. */
  readonly folder: string;
  /** Name for tables and key prefixes of this server alone. */
  readonly table: string;
  /** Whether every request is a use worth a write. */
  readonly touches: boolean;
}

const { env } = process;

/** Where the database servers are. */
export const POSTGRES = {
  host: env['PGHOST'] ?? '127.0.0.1',
  port: Number(env['PGPORT'] ?? 5432),
  user: env['PGUSER'] ?? 'postgres',
  password: env['PGPASSWORD'] ?? '',
  database: env['PGDATABASE'] ?? 'test',
};

export const MYSQL = {
  host: env['MYSQL_HOST'] ?? '127.0.0.1',
  port: Number(env['MYSQL_PORT'] ?? 3306),
  user: env['MYSQL_USER'] ?? 'root',
  password: env['MYSQL_PASSWORD'] ?? '',
  database: env['MYSQL_DATABASE'] ?? 'test',
};

export const REDIS_URL = env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
