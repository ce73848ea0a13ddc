import { Module } from '@nestjs/common';

export { NestFactory } from '@nestjs/core';
export type { NestExpressApplication } from '@nestjs/platform-express';
export { FastifyAdapter } from '@nestjs/platform-fastify';
export type { NestFastifyApplication } from '@nestjs/platform-fastify';

/** The root module of an app. */
@Module({})
export class AppModule {}
