import type { INestApplication, LoggerService, ModuleMetadata } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SessionModule, type SessionOptions } from 'nest-sessions';
import request from 'supertest';
import { ThemeController } from './theme-controller.js';

/** 32 bytes, never used outside tests. */
export const KEY = Buffer.alloc(32, 'the key of the module specs');
export const OTHER_KEY = Buffer.alloc(32, 'another key of the specs');

export type Platform = 'express' | 'fastify';
export const PLATFORMS: readonly Platform[] = ['express', 'fastify'];

/** What an app logs: `warn Sessions: the message`. */
export class RecordingLogger implements LoggerService {
  readonly lines: string[] = [];

  log = (): void => undefined;
  warn = (message: unknown, ...rest: unknown[]): void => this.#keep('warn', message, rest);
  error = (message: unknown, ...rest: unknown[]): void => this.#keep('error', message, rest);
  fatal = (message: unknown, ...rest: unknown[]): void => this.#keep('fatal', message, rest);

  /** Lines with this text in them. */
  about(text: string | RegExp): string[] {
    return this.lines.filter((line) => (typeof text === 'string' ? line.includes(text) : text.test(line)));
  }

  #keep(level: string, message: unknown, rest: readonly unknown[]): void {
    this.lines.push(`${level} ${String(rest.at(-1))}: ${String(message)}`);
  }
}

export interface AppSetup extends ModuleMetadata {
  platform?: Platform;
  logger?: RecordingLogger;
  /** Changes the builder of the testing module, for instance with `overrideProvider`. */
  build?: (builder: TestingModuleBuilder) => TestingModuleBuilder;
  /** What main.ts does between creating the app and starting it. */
  prepare?: (app: INestApplication) => void;
}

const opened = new Set<INestApplication>();

/** A Nest app that has started, in memory of supertest: no port is opened. */
export async function startApp(setup: AppSetup): Promise<INestApplication> {
  const {
    platform = 'express',
    logger = new RecordingLogger(),
    build = (builder) => builder,
    prepare,
    ...metadata
  } = setup;
  const builder = Test.createTestingModule({ controllers: [ThemeController], ...metadata }).setLogger(logger);
  const module = await build(builder).compile();
  const app =
    platform === 'fastify'
      ? module.createNestApplication<NestFastifyApplication>(new FastifyAdapter())
      : module.createNestApplication();
  opened.add(app);
  prepare?.(app);
  await app.init();
  if (platform === 'fastify') await (app as NestFastifyApplication).getHttpAdapter().getInstance().ready();
  return app;
}

/** Closes the apps that a spec has left open. */
export async function closeApps(): Promise<void> {
  const apps = [...opened];
  opened.clear();
  await Promise.all(apps.map((app) => app.close()));
}

/** TypeORM in memory and sessions on it. */
export function sessionImports(
  options: SessionOptions = { key: KEY },
): NonNullable<ModuleMetadata['imports']> {
  return [TypeOrmModule.forRoot(sqlite()), SessionModule.forRoot(options)];
}

/** Options of a TypeORM data source, in memory unless a file is named. */
export function sqlite(database = ':memory:') {
  return { type: 'sqlite', database, autoLoadEntities: true, retryAttempts: 0 } as const;
}

/** Signs in over HTTP; the Cookie header to send from then on. */
export async function logIn(app: INestApplication, user: string): Promise<string> {
  const response = await http(app).post('/login').send({ user }).expect(201);
  return cookieOf(response);
}

/** The Cookie header that a browser would make of a response's cookies. */
export function cookieOf(response: request.Response): string {
  const lines = response.get('Set-Cookie') ?? [];
  return lines.map((line) => line.split(';', 1)[0]).join('; ');
}

export function http(app: INestApplication) {
  return request(app.getHttpServer() as Parameters<typeof request>[0]);
}

/** The message that starting such an app fails with. */
export async function startupError(setup: AppSetup): Promise<string> {
  return startApp(setup).then(
    () => 'the app has started',
    (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error)),
  );
}

/** A new folder, and the way to remove it with all that is in it. */
export function temporaryFolder(): { path: (name: string) => string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-'));
  return {
    path: (name) => join(folder, name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Waits until something holds, for half a minute at most; whether it came to hold. */
export async function eventually(holds: () => boolean, withinMs = 30_000): Promise<boolean> {
  const end = performance.now() + withinMs;
  while (!holds() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
  return holds();
}
