import type * as NestTypeOrm from '@nestjs/typeorm';
import { cpSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SessionModule } from 'nest-sessions';
import { KEY, startupError, temporaryFolder } from './support/nest-app.js';

const MODULES = join(import.meta.dirname, '../node_modules');
const folder = temporaryFolder();

afterAll(folder.remove);

/** What an app gets when a package manager installs @nestjs/typeorm twice, beside a TypeORM each. */
async function otherCopy(): Promise<typeof NestTypeOrm> {
  const link = (name: string, target = name): void => {
    const path = folder.path(join('node_modules', name));
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(realpathSync(join(MODULES, target)), path);
  };
  for (const name of ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs']) link(name);
  link('typeorm', 'typeorm1');
  const copy = folder.path('node_modules/@nestjs/typeorm');
  cpSync(realpathSync(join(MODULES, '@nestjs/typeorm')), copy, { recursive: true });
  return (await import(join(copy, 'dist/index.js'))) as typeof NestTypeOrm;
}

describe('two copies of @nestjs/typeorm', () => {
  it('are what the startup error names, not a data source that is missing', async () => {
    const { TypeOrmModule } = await otherCopy();
    const error = await startupError({
      imports: [
        TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:' }),
        SessionModule.forRoot({ key: KEY }),
      ],
    });
    expect(error).toMatch(
      /^SessionOptionsError: Expected a TypeORM data source.*two copies of @nestjs\/typeorm/,
    );
    expect(error).toContain('npm ls @nestjs/typeorm typeorm');
    expect(error).not.toContain('There is none');
  });
});
