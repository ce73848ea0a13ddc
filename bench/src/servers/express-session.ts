import { Controller, Get, type INestApplication, Post, Query, Req } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import connectPgSimple from 'connect-pg-simple';
import { RedisStore } from 'connect-redis';
import { type ISession, TypeormStore } from 'connect-typeorm';
import session from 'express-session';
import pg from 'pg';
import { createClient } from 'redis';
import { Column, DataSource, DeleteDateColumn, Entity, Index, PrimaryColumn } from 'typeorm';
import { join } from 'node:path';
import type { Parts } from './application.js';
import { dataOf, type ReadAnswer } from './fill.js';
import { POSTGRES, REDIS_URL, type ServerSettings } from './settings.js';

declare module 'express-session' {
  interface SessionData {
    user: string;
    theme: string;
    count: number;
    cart: object[];
  }
}

interface WithSession {
  session: session.Session & Partial<session.SessionData>;
}

@Controller()
class ExpressSessionController {
  @Get('read')
  read(@Req() request: WithSession): ReadAnswer {
    const { theme = 'light', cart = [] } = request.session;
    return { theme, items: cart.length };
  }

  @Post('write')
  write(@Req() request: WithSession): { count: number } {
    request.session.count = (request.session.count ?? 0) + 1;
    return { count: request.session.count };
  }

  /** As the README of express-session says: regenerate, then set. */
  @Post('login')
  async login(
    @Req() request: WithSession,
    @Query('user') user: string,
    @Query('bytes') bytes: string,
  ): Promise<{ ok: boolean }> {
    await new Promise<void>((resolve, reject) =>
      request.session.regenerate((error: unknown) => (error instanceof Error ? reject(error) : resolve())),
    );
    Object.assign(request.session, { user, ...dataOf(Number(bytes)) });
    return { ok: true };
  }

  @Post('logout')
  async logout(@Req() request: WithSession): Promise<{ ok: boolean }> {
    await new Promise<void>((resolve, reject) =>
      request.session.destroy((error: unknown) => (error instanceof Error ? reject(error) : resolve())),
    );
    return { ok: true };
  }
}

const OPTIONS = {
  secret: 'a secret of the benchmark, 32 characters',
  resave: false,
  saveUninitialized: false,
};

function withStore(store: (app: INestApplication) => Promise<session.Store | undefined>): Parts {
  return {
    controller: ExpressSessionController,
    install: async (app) => {
      app.use(session({ ...OPTIONS, store: await store(app) }));
    },
  };
}

/** express-session in memory: encrypts nothing, survives nothing. */
export function memoryStore(): Parts {
  return withStore(async () => undefined);
}

/** connect-redis, with the client that its README uses. */
export function redisStore({ table }: ServerSettings): Parts {
  const client = createClient({ url: REDIS_URL });
  return {
    ...withStore(async () => {
      await client.connect();
      return new RedisStore({ client, prefix: `${table}:` });
    }),
    cleanUp: async () => {
      const keys = await client.keys(`${table}:*`);
      if (keys.length > 0) await client.del(keys);
    },
  };
}

/** connect-pg-simple, with a pool as in its README. In a schema of its own, since its key has always the same name. */
export function pgStore({ table }: ServerSettings): Parts {
  const pool = new pg.Pool(POSTGRES);
  return {
    ...withStore(async () => {
      await pool.query(`CREATE SCHEMA ${table}`);
      const Store = connectPgSimple(session);
      return new Store({ pool, schemaName: table, createTableIfMissing: true });
    }),
    cleanUp: async () => void (await pool.query(`DROP SCHEMA ${table} CASCADE`)),
  };
}

/** The entity of connect-typeorm's README. */
@Entity('peer_sessions')
class PeerSession implements ISession {
  @Index()
  @Column('bigint')
  expiredAt = Date.now();

  @PrimaryColumn('varchar', { length: 255 })
  id = '';

  @Column('text')
  json = '';

  @DeleteDateColumn()
  destroyedAt?: Date;
}

/** connect-typeorm on SQLite, with the options of its README. */
export function typeormStore({ folder, table }: ServerSettings): Parts {
  const database = join(folder, `${table}.sqlite`);
  return {
    ...withStore(async (app) => {
      const repository = app.get(DataSource).getRepository(PeerSession);
      return new TypeormStore({ cleanupLimit: 2, limitSubquery: false, ttl: 86400 }).connect(repository);
    }),
    imports: [
      TypeOrmModule.forRoot({ type: 'sqlite', database, entities: [PeerSession], synchronize: true }),
    ],
  };
}
