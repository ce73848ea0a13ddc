import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import passport from 'passport';
import { AppModule } from './app.module.js';
import { serveProvider } from './provider.js';
import { APP, CALLBACK, CLIENT, PORT, PROVIDER_PORT } from './settings.js';

const app = await NestFactory.create<NestExpressApplication>(AppModule);
app.use(passport.session()); // `mount: 'middleware'` has the session ready before it
app.enableShutdownHooks();
await app.listen(PORT);

serveProvider(PROVIDER_PORT, { ...CLIENT, redirectUri: CALLBACK });
console.log(`Open ${APP} in a browser.`);
