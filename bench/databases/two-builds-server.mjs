// The app of two-builds-http.mjs on one build, in a process of its own. It ends with the process that started it.
import 'reflect-metadata';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { Controller, Get, Module, Post, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';

process.on('disconnect', () => process.exit());
const [{ build, platform, dataSource, tableName }] = await once(process, 'message');
const { Session, SessionModule } = await import(pathToFileURL(build).href);

const DATA = { theme: 'dark', count: 0, cart: [{ sku: 'a-1', n: 2 }], locale: 'en-GB', csrf: 'x'.repeat(32) };

class BenchController {
  read(session) {
    return { count: session.data.count };
  }

  write(session) {
    session.set('count', session.data.count + 1);
    return { count: session.data.count };
  }

  async signIn(session, user) {
    await session.authenticate(user, { data: DATA });
    return { count: session.data.count };
  }
}

// What `@Get('read') read(@Session() session)` and the like come to without a compiler.
for (const [route, name, parameters] of [
  [Get('read'), 'read', [Session()]],
  [Post('write'), 'write', [Session()]],
  [Post('sign-in'), 'signIn', [Session(), Query('user')]],
]) {
  route(BenchController.prototype, name, Object.getOwnPropertyDescriptor(BenchController.prototype, name));
  parameters.forEach((decorate, at) => decorate(BenchController.prototype, name, at));
}
Controller()(BenchController);

class BenchModule {}
Module({
  imports: [
    SessionModule.forRoot({
      key: Buffer.alloc(32, 'key of the benchmark'),
      dataSource,
      tableName,
      cookie: { secure: false },
    }),
  ],
  controllers: [BenchController],
})(BenchModule);

const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
const app = await NestFactory.create(BenchModule, adapter, { logger: ['warn', 'error', 'fatal'] });
await app.listen(0, '127.0.0.1');

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send(user + system);
});
process.send(app.getHttpServer().address().port);
