import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  Post,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Parts } from './application.js';
import { dataOf, type ReadAnswer } from './fill.js';
import { MYSQL, POSTGRES, REDIS_URL, type ServerSettings } from './settings.js';

/*
 * The floor: the least that a session in a database can cost. A guard reads an id from the cookie, gets a row with one prepared
 * SELECT by primary key, and parses its JSON; a handler that writes waits for one durable UPSERT. Nothing is encrypted, signed,
 * hashed, limited, expired, or compared with what others wrote, and no header is set but the cookie of a sign-in. On Redis it is
 * one GET, and one SET.
 */

/** A table `id, data` of a driver, by statements that are prepared once. */
interface Table {
  find(id: string): string | undefined | Promise<string | undefined>;
  upsert(id: string, data: string): unknown;
  drop?(): Promise<unknown>;
}

interface Data {
  theme?: string;
  count?: number;
  cart?: object[];
}

interface FloorRequest {
  readonly headers: { readonly cookie?: string };
  floor?: { readonly id: string; readonly data: Data };
}

/** What is used of the reply of either platform. */
interface Reply {
  header(name: string, value: string): unknown;
}

let table: Table;

@Injectable()
class FloorGuard implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FloorRequest>();
    const id = /(?:^|; )floor=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1];
    if (id === undefined) return true;
    const json = await table.find(id);
    if (json !== undefined) request.floor = { id, data: JSON.parse(json) as Data };
    return true;
  }
}

@Controller()
class FloorController {
  @Get('read')
  read(@Req() { floor }: FloorRequest): ReadAnswer {
    const { theme = 'light', cart = [] } = floor?.data ?? {};
    return { theme, items: cart.length };
  }

  @Post('write')
  async write(@Req() { floor }: FloorRequest): Promise<{ count: number }> {
    if (!floor) return { count: 0 };
    floor.data.count = (floor.data.count ?? 0) + 1;
    await table.upsert(floor.id, JSON.stringify(floor.data));
    return { count: floor.data.count };
  }

  @Post('login')
  async login(
    @Res({ passthrough: true }) reply: Reply,
    @Query('bytes') bytes: string,
  ): Promise<{ ok: boolean }> {
    const id = randomBytes(32).toString('base64url');
    await table.upsert(id, JSON.stringify(dataOf(Number(bytes))));
    reply.header('Set-Cookie', `floor=${id}; Path=/; HttpOnly; SameSite=Lax`);
    return { ok: true };
  }
}

/** The floor on one driver. */
export async function floor(driver: string, settings: ServerSettings): Promise<Parts> {
  table = await tableOf(driver, settings);
  return {
    controller: FloorController,
    providers: [{ provide: APP_GUARD, useClass: FloorGuard }],
    cleanUp: async () => {
      await table.drop?.();
    },
  };
}

function tableOf(driver: string, settings: ServerSettings): Promise<Table> {
  switch (driver) {
    case 'sqlite3':
      return onSqlite3(settings);
    case 'better-sqlite3':
      return onBetterSqlite3(settings);
    case 'postgres':
      return onPostgres(settings);
    case 'mariadb':
      return onMariaDb(settings);
    case 'redis':
      return onRedis(settings);
    default:
      throw new Error(`No floor for '${driver}'`);
  }
}

const CREATE = 'CREATE TABLE sessions (id TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID';
const SELECT = 'SELECT data FROM sessions WHERE id = ?';
const UPSERT = 'INSERT INTO sessions VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data';
/** Durable: a commit is on the disk before it is acknowledged. As the sessions of nest-sessions are. */
const SETUP = `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${CREATE}`;

function fileOf({ folder, table: name }: ServerSettings): string {
  return join(folder, `${name}.sqlite`);
}

async function onSqlite3(settings: ServerSettings): Promise<Table> {
  const { default: sqlite3 } = await import('sqlite3');
  const database = new sqlite3.Database(fileOf(settings));
  await promised((done) => database.exec(SETUP, done));
  const [select, upsert] = [database.prepare(SELECT), database.prepare(UPSERT)];
  return {
    find: (id) =>
      new Promise((resolve, reject) => {
        select.get(id, (error: Error | null, row?: { readonly data: string }) =>
          error ? reject(error) : resolve(row?.data),
        );
      }),
    upsert: (id, data) => promised((done) => upsert.run(id, data, done)),
  };
}

function promised(call: (done: (error: Error | null) => void) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error ? reject(error) : resolve()));
  });
}

async function onBetterSqlite3(settings: ServerSettings): Promise<Table> {
  const { default: Database } = await import('better-sqlite3');
  const database = new Database(fileOf(settings));
  database.exec(SETUP);
  const select = database.prepare<[string], string>(SELECT).pluck();
  const upsert = database.prepare<[string, string]>(UPSERT);
  return { find: (id) => select.get(id), upsert: (id, data) => upsert.run(id, data) };
}

async function onPostgres({ table: name }: ServerSettings): Promise<Table> {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool(POSTGRES);
  await pool.query(`CREATE TABLE ${name} (id text PRIMARY KEY, data text NOT NULL)`);
  const select = { name: 'select', text: `SELECT data FROM ${name} WHERE id = $1` };
  const upsert = {
    name: 'upsert',
    text: `INSERT INTO ${name} VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET data = excluded.data`,
  };
  return {
    find: async (id) => (await pool.query<{ data: string }>({ ...select, values: [id] })).rows[0]?.data,
    upsert: (id, data) => pool.query({ ...upsert, values: [id, data] }),
    drop: () => pool.query(`DROP TABLE ${name}`),
  };
}

async function onMariaDb({ table: name }: ServerSettings): Promise<Table> {
  const { createPool } = await import('mysql2/promise');
  const pool = createPool(MYSQL);
  await pool.query(
    `CREATE TABLE ${name} (id varchar(64) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, data mediumtext NOT NULL)`,
  );
  const select = `SELECT data FROM ${name} WHERE id = ?`;
  const upsert = `INSERT INTO ${name} VALUES (?, ?) ON DUPLICATE KEY UPDATE data = VALUES(data)`;
  return {
    find: async (id) => {
      const [rows] = await pool.execute(select, [id]);
      return (rows as Array<{ readonly data: string }>)[0]?.data;
    },
    upsert: (id, data) => pool.execute(upsert, [id, data]),
    drop: () => pool.query(`DROP TABLE ${name}`),
  };
}

async function onRedis({ table: name }: ServerSettings): Promise<Table> {
  const { createClient } = await import('redis');
  const client = createClient({ url: REDIS_URL });
  await client.connect();
  return {
    find: async (id) => (await client.get(`${name}:${id}`)) ?? undefined,
    upsert: (id, data) => client.set(`${name}:${id}`, data),
    drop: async () => {
      for await (const keys of client.scanIterator({ MATCH: `${name}:*`, COUNT: 1_000 }))
        if (keys.length > 0) await client.unlink(keys);
    },
  };
}
