// One of several Nest apps that serve the same sessions, in a process of its own.
import 'reflect-metadata';
import { Body, Controller, Get, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { RequireAuth, Session, SessionModule } from 'nest-sessions';
import { RedisSessionBackend } from 'nest-sessions/redis';
import type { ReplicaSettings } from './replica-process.js';

declare module 'nest-sessions' {
  interface SessionData {
    count?: number;
  }
}

const { storage, keys, maxPerUser } = JSON.parse(process.argv[2] ?? '') as ReplicaSettings;

@Controller()
class CountController {
  @Post('login')
  async login(@Body() body: { user: string }, @Session() session: Session): Promise<void> {
    await session.authenticate(body.user);
  }

  @RequireAuth()
  @Post('count')
  async count(@Session() session: Session): Promise<{ count: number }> {
    await session.update((data) => {
      data.count = (data.count ?? 0) + 1;
    });
    return { count: session.data.count ?? 0 };
  }

  @RequireAuth()
  @Get('count')
  look(@Session() session: Session): { user: string | null; count: number } {
    return { user: session.userId, count: session.data.count ?? 0 };
  }

  @RequireAuth()
  @Get('devices')
  async devices(@Session() session: Session): Promise<number> {
    return (await session.list()).length;
  }

  @Post('logout-all')
  async logoutAll(@Session() session: Session): Promise<void> {
    await session.logoutAll();
  }
}

const options = {
  key: keys,
  maxPerUser,
  timeout: '3s',
  rotation: { every: '3s', grace: '1s' }, // many, while the spec runs,
  ...('url' in storage ? { backend: new RedisSessionBackend({ url: storage.url }) } : {}),
};

@Module({
  imports: [
    ...('url' in storage ? [] : [TypeOrmModule.forRoot({ ...storage, retryAttempts: 0 })]),
    SessionModule.forRoot(options),
  ],
  controllers: [CountController],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'], abortOnError: false });
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
process.send?.((app.getHttpServer() as import('node:http').Server).address());
