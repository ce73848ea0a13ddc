import { type DynamicModule, type INestApplication, Module, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';

export type Platform = 'express' | 'fastify';

/** What a contender adds to the bare app. */
export interface Parts {
  readonly controller: Type<object>;
  readonly imports?: readonly (DynamicModule | Promise<DynamicModule>)[];
  readonly providers?: readonly Provider[];
  /** Adds middleware and the like, before the app listens. */
  readonly install?: (app: INestApplication) => Promise<void>;
  /** Takes away what it has left in a database that others use. */
  readonly cleanUp?: (app: INestApplication) => Promise<void>;
}

@Module({})
class BenchModule {}

/** The same app for every contender, but for its parts. */
export async function createApp(platform: Platform, parts: Parts): Promise<INestApplication> {
  const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
  const app = await NestFactory.create(
    {
      module: BenchModule,
      imports: [...(parts.imports ?? [])],
      providers: [...(parts.providers ?? [])],
      controllers: [parts.controller],
    },
    adapter,
    { logger: ['warn', 'error', 'fatal'] },
  );
  await parts.install?.(app);
  return app;
}
