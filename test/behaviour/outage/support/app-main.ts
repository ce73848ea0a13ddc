// A Nest app in a process of its own, with sessions on the app's pool or on one of their own.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { SessionModule } from 'nest-sessions';
import { ThemeController } from '../../../support/theme-controller.js';
import type { AppSettings } from './app-process.js';
import { OwnStatementController } from './own-statement-controller.js';

const { database, pool } = JSON.parse(process.argv[2] ?? '') as AppSettings;

@Module({
  imports: [
    TypeOrmModule.forRoot({ ...database, retryAttempts: 0 }),
    SessionModule.forRoot({
      key: Buffer.alloc(32, 'a key of the outage specs'),
      ...(pool === 'own' ? { dataSource: database } : {}),
    }),
  ],
  controllers: [ThemeController, OwnStatementController],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(0, '127.0.0.1');
process.send?.((app.getHttpServer() as import('node:http').Server).address());
