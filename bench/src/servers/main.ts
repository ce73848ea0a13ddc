import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createApp, type Parts } from './application.js';
import { bare, empty } from './bare.js';
import { keepProfile, startProfile } from './profile.js';
import { MYSQL, POSTGRES, type ServerSettings } from './settings.js';

const settings = JSON.parse(process.argv[2] ?? '') as ServerSettings;

async function ours(): Promise<(typeof import('./ours.js'))['ours']> {
  return (await import('./ours.js')).ours;
}

function peers(): Promise<typeof import('./express-session.js')> {
  return import('./express-session.js');
}

/** Modules are loaded when asked for, so that no server carries those of another. */
async function partsOf(): Promise<Parts> {
  const file = join(settings.folder, `${settings.table}.sqlite`);
  switch (settings.contender) {
    case 'bare':
      return bare();
    case 'empty':
      return empty();
    case 'floor-sqlite3':
    case 'floor-better-sqlite3':
    case 'floor-postgres':
    case 'floor-mariadb':
    case 'floor-redis':
      return (await import('./floor.js')).floor(settings.contender.slice('floor-'.length), settings);
    case 'ours-sqlite3':
      return (await ours())({ type: 'sqlite', database: file }, settings);
    case 'ours-better-sqlite3':
      return (await ours())({ type: 'better-sqlite3', database: file }, settings);
    case 'ours-postgres':
      return (await ours())({ type: 'postgres', ...POSTGRES, username: POSTGRES.user }, settings);
    case 'ours-mariadb':
      return (await ours())({ type: 'mariadb', ...MYSQL, username: MYSQL.user }, settings);
    case 'ours-redis':
      return (await import('./ours.js')).oursOnRedis(settings);
    case 'ours-memory':
      return (await import('./ours.js')).oursInMemory(settings);
    case 'express-session':
      return (await peers()).memoryStore();
    case 'connect-typeorm':
      return (await peers()).typeormStore(settings);
    case 'connect-pg-simple':
      return (await peers()).pgStore(settings);
    case 'connect-redis':
      return (await peers()).redisStore(settings);
    case 'fastify-session':
      return (await import('./fastify-session.js')).fastifyMemory();
    case 'better-auth':
      return (await import('./better-auth.js')).betterAuthSessions(settings);
    default:
      throw new Error(`No contender '${settings.contender}'`);
  }
}

const parts = await partsOf();
const app = await createApp(settings.platform, parts);
await app.listen(0, '127.0.0.1');
const { port } = app.getHttpServer().address() as AddressInfo;

process.on('message', (message) => void answer(String(message)));
process.on('disconnect', () => void leave());
process.send?.({ port });

async function answer(message: string): Promise<void> {
  if (message === 'collect') globalThis.gc?.();
  if (message === 'profile') await startProfile();
  if (message.endsWith('.cpuprofile')) await keepProfile(message);
  const { user, system } = process.cpuUsage();
  process.send?.({ cpu: user + system, memory: process.memoryUsage() });
}

async function leave(): Promise<void> {
  await parts.cleanUp?.(app).catch((error: unknown) => console.error(error));
  process.exit();
}
