import { Controller, Get, Post, Query } from '@nestjs/common';
import { TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Session, SessionModule } from '../../../dist/index.js';
import type { Parts } from './application.js';
import type { ServerSettings } from './settings.js';
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

/** nest-sessions on a database of TypeORM. Encrypted and durable, as always. */
export function ours(database: TypeOrmModuleOptions, settings: ServerSettings): Parts {
  return {
    controller: OursController,
    cleanUp: async (app) => {
      const isServer = database.type === 'postgres' || database.type === 'mariadb';
      if (isServer) await app.get(DataSource).query(`DROP TABLE ${settings.table}`);
    },
    imports: [
      TypeOrmModule.forRoot(database),
      SessionModule.forRoot({
        key: Buffer.alloc(32, 'key of the benchmark'),
        tableName: settings.table,
        ...(settings.touches ? { touchInterval: 1 } : {}),
      }),
    ],
  };
}
