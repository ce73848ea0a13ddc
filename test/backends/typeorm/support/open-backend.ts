import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import { tempFolder } from './temp-folder.js';
import type { TypeOrmSessionBackendOptions } from '../../../../src/backends/typeorm/typeorm-session-backend-options.js';

/** Milliseconds for a call that is to succeed, on a machine that is busy. */
export const PATIENCE = 60_000;

export const OPTIONS: TypeOrmSessionBackendOptions = {
  tableName: 'sessions',
  createTable: true,
  timeout: PATIENCE,
  shared: true,
};

/** A backend beside `app.sqlite` of the folder, so with its file at `app.sessions.sqlite`. */
export function backendIn(
  folder: string,
  options: Partial<TypeOrmSessionBackendOptions> = {},
): TypeOrmSessionBackend {
  const app = new DataSource({ type: 'sqlite', database: join(folder, 'app.sqlite') });
  return new TypeOrmSessionBackend(app, { ...OPTIONS, ...options });
}

export function sessionsFile(folder: string): string {
  return join(folder, 'app.sessions.sqlite');
}

/** A file of sessions with row `id`, elsewhere. */
export async function otherFile(id: string): Promise<string> {
  const folder = await tempFolder();
  const backend = backendIn(folder);
  await store(backend, row(id));
  await backend.close();
  return sessionsFile(folder);
}
