import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { AddressInfo } from 'node:net';
import { AppModule } from './app.module.js';
import { certificate } from './certificate.js';
import { securityHeaders } from './security-headers.js';
import { PORT, PUBLIC_FOLDER } from './settings.js';

const app = await NestFactory.create<NestExpressApplication>(AppModule, {
  logger: ['warn', 'error', 'fatal'],
  ...(certificate && { httpsOptions: certificate }),
});

app.disable('x-powered-by');
// A proxy on this machine, and no other, may say whose address it forwards: "Your devices" shows addresses.
app.set('trust proxy', 'loopback');
app.use(securityHeaders);
app.useStaticAssets(PUBLIC_FOLDER);
// On Ctrl+C, requests under way are answered and the database is closed. Sessions stay: they are in the database.
app.enableShutdownHooks();

try {
  await app.listen(PORT);
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
  console.error(`Port ${PORT} is taken. Choose another one: PORT=3001 npm start`);
  process.exit(1);
}
const { port } = app.getHttpServer().address() as AddressInfo;
console.log(`The demo is open: ${certificate ? 'https' : 'http'}://localhost:${port} (Ctrl+C closes it)`);
