// One of several Nest apps that serve the same sessions, in a process of its own.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { SessionModule } from 'nest-sessions';
import { RedisSessionBackend } from 'nest-sessions/redis';
import { CountController } from './count-controller.js';
import type { ReplicaSettings } from './replica-process.js';

const { storage, keys, maxPerUser } = JSON.parse(process.argv[2] ?? '') as ReplicaSettings;

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
