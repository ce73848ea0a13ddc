// What the benches of this folder share: a database of their own, rows by the million, and figures in rounds.
// They run on what `npm run build` made, on the Postgres that PGHOST, PGPORT and PGUSER name.
import { randomBytes } from 'node:crypto';
import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../dist/backends/typeorm/typeorm-session-backend.js';

const {
  PGHOST = '127.0.0.1',
  PGPORT = '5432',
  PGUSER = 'postgres',
  PGPASSWORD,
  PGDATABASE = 'test',
  MYSQL_HOST = '127.0.0.1',
  MYSQL_TCP_PORT = '3306',
  MYSQL_PORT = MYSQL_TCP_PORT,
  MYSQL_USER = 'root',
  MYSQL_PWD,
  MYSQL_PASSWORD = MYSQL_PWD,
  MYSQL_DATABASE = 'test',
} = process.env;

export const POSTGRES = {
  type: 'postgres',
  host: PGHOST,
  port: Number(PGPORT),
  username: PGUSER,
  password: PGPASSWORD,
  database: PGDATABASE,
};

/** The variables that the comparison with other libraries reads, or else those of the specs. */
export const MARIADB = {
  type: 'mariadb',
  host: MYSQL_HOST,
  port: Number(MYSQL_PORT),
  username: MYSQL_USER,
  password: MYSQL_PASSWORD,
  database: MYSQL_DATABASE,
};

/** Runs a bench on a database of its own, and removes that. */
export async function withDatabase(run) {
  const database = `sessions_bench_${randomBytes(6).toString('hex')}`;
  const admin = await new DataSource(POSTGRES).initialize();
  await admin.query(`CREATE DATABASE ${database}`);
  const dataSource = await new DataSource({ ...POSTGRES, database, poolSize: 20 }).initialize();
  try {
    await run({ dataSource, options: { ...POSTGRES, database, poolSize: 20 } });
  } finally {
    await dataSource.destroy();
    await admin.query(`DROP DATABASE ${database} WITH (FORCE)`);
    await admin.destroy();
  }
}

/** The backend on a table of its own, ready. */
export async function openBackend(options, tableName = 'sessions') {
  const backend = new TypeOrmSessionBackend(options, {
    tableName,
    createTable: true,
    timeout: 60_000,
    shared: false,
  });
  await backend.init();
  return backend;
}

export const idOf = (index) => String(index).padStart(26, '0');

/** Rows `0` to `count - 1`; where `isExpired` holds (SQL over `i`) they have expired. 300 bytes of payload each. */
export async function fill(dataSource, { table = 'sessions', count, isExpired = 'false' }) {
  const now = Date.now();
  await dataSource.query(
    `INSERT INTO ${table} (id, user_id, token_hash, superseded_hash, token_issued_at, grace_until, token_used, version,
       key_id, idle_ttl, persistent, created_at, authenticated_at, last_active_at, expires_at, absolute_expires_at, payload)
     SELECT lpad(i::text, 26, '0'), 'user-' || i / 3, md5(i::text) || md5(i::text), NULL, ${now}, ${now}, true, i,
       'k1', 86400000, true, ${now}, ${now}, ${now} - 600000,
       CASE WHEN ${isExpired} THEN ${now} - 1000 ELSE ${now} + 86400000 END, ${now} + 2592000000,
       decode(repeat(md5(i::text), 18), 'hex') || decode(md5(i::text), 'hex')
     FROM generate_series(0, ${count} - 1) AS i`,
  );
  await dataSource.query(`VACUUM ANALYZE ${table}`);
}

export const median = (values) => quantile(values, 0.5);

export function quantile(values, q) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

/** Milliseconds that a call takes. */
export async function timed(call) {
  const began = performance.now();
  await call();
  return performance.now() - began;
}

/** Says whether a figure is reached, and fails the process where it is not. */
export function report(what, figure, isReached, goal) {
  console.log(`${isReached ? 'ok  ' : 'MISS'} ${what}: ${figure} (goal: ${goal})`);
  if (!isReached) process.exitCode = 1;
}
