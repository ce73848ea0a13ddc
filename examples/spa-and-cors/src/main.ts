import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { serveFrontEnd } from './front-end.js';
import { FRONT_END, FRONT_END_PORT, PORT } from './settings.js';

const app = await NestFactory.create(AppModule);
// A page of the front end may read what the API answers, and its requests carry the cookie.
app.enableCors({ origin: FRONT_END, credentials: true });
app.enableShutdownHooks();
await app.listen(PORT);

// Vite, or whatever your front end is built and served with.
serveFrontEnd(FRONT_END_PORT);
console.log(`Open ${FRONT_END} in a browser.`);
