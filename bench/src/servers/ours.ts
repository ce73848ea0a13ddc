import { Controller, Get, Post, Query } from '@nestjs/common';
import { TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { createClient } from 'redis';
import { RedisSessionBackend } from '../../../dist/backends/redis/index.js';
import { Session, SessionModule } from '../../../dist/index.js';
import { MemorySessionBackend } from '../../../dist/testing/index.js';
import type { Parts } from './application.js';
import { REDIS_URL, type ServerSettings } from './settings.js';
import { dataOf, type ReadAnswer } from './fill.js';

interface BenchData {
  theme?: string;
  count?: number;
  cart?: object[];
}

@Controller()
class OursController {
  @Get('read')
  read(@Session() session: Session<BenchData>): ReadAnswer {
    const { theme = 'light', cart = [] } = session.data;
    return { theme, items: cart.length };
  }

  @Post('write')
  write(@Session() session: Session<BenchData>): { count: number } {
    session.data.count = (session.data.count ?? 0) + 1;
    return { count: session.data.count };
  }

  @Post('login')
  async login(
    @Session() session: Session<BenchData>,
    @Query('user') user: string,
    @Query('bytes') bytes: string,
  ): Promise<{ ok: boolean }> {
    await session.authenticate(user, { data: dataOf(Number(bytes)) });
    return { ok: true };
  }

  @Post('logout')
  async logout(@Session() session: Session<BenchData>): Promise<{ ok: boolean }> {
    await session.logout();
    return { ok: true };
  }
}

/** nest-sessions in Redis, with the client library that connect-redis uses, and its own. Encrypted, as always. */
export function oursOnRedis({ table, touches }: ServerSettings): Parts {
  const client = createClient({ url: REDIS_URL });
  const backend = new RedisSessionBackend(client, { prefix: `${table}:` });
  return {
    controller: OursController,
    cleanUp: async () => {
      for await (const keys of client.scanIterator({ MATCH: `${table}:*`, COUNT: 1_000 }))
        if (keys.length > 0) await client.unlink(keys);
    },
    imports: [
      SessionModule.forRootAsync({
        useFactory: async () => {
          await client.connect();
          return optionsOf(touches);
        },
        backend,
      }),
    ],
  };
}

/** nest-sessions in the memory of the process: what sessions cost without any storage. */
export function oursInMemory({ touches }: ServerSettings): Parts {
  return {
    controller: OursController,
    imports: [SessionModule.forRoot({ ...optionsOf(touches), backend: new MemorySessionBackend() })],
  };
}

function optionsOf(touches: boolean) {
  return {
    key: Buffer.alloc(32, 'key of the benchmark'),
    ...(touches ? { touchInterval: 1 } : {}),
  };
}

/** nest-sessions on a database of TypeORM. Encrypted and durable, as always. On a server it has a pool of its own, as the docs advise. */
export function ours(database: TypeOrmModuleOptions & DataSourceOptions, settings: ServerSettings): Parts {
  const isServer = database.type === 'postgres' || database.type === 'mariadb';
  return {
    controller: OursController,
    cleanUp: async (app) => {
      if (isServer) await app.get(DataSource).query(`DROP TABLE ${settings.table}`);
    },
    imports: [
      TypeOrmModule.forRoot(database),
      SessionModule.forRoot({
        ...optionsOf(settings.touches),
        tableName: settings.table,
        ...(isServer ? { dataSource: database } : {}),
      }),
    ],
  };
}
