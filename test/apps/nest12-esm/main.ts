import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Body, Controller, Get, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Session, SessionModule } from 'nest-sessions';

declare module 'nest-sessions' {
  interface SessionData {
    theme?: string;
  }
}

@Controller('theme')
class ThemeController {
  @Post()
  choose(@Body() body: { theme: string }, @Session() session: Session): void {
    session.data.theme = body.theme;
  }

  @Get()
  show(@Session() session: Session): { theme: string | null } {
    return { theme: session.data.theme ?? null };
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'sqlite', database: 'app.sqlite', autoLoadEntities: true }),
    SessionModule.forRoot({ key: randomBytes(32).toString('base64'), maxPerUser: 5, ttl: '24h' }),
  ],
  controllers: [ThemeController],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'], abortOnError: false });
await app.listen(0, '127.0.0.1');
const url = `${await app.getUrl()}/theme`;

const chosen = await fetch(url, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ theme: 'dark' }),
});
assert.equal(chosen.status, 201, 'POST /theme answers 201');

const cookie = chosen.headers
  .getSetCookie()
  .map((line) => line.split(';', 1)[0])
  .join('; ');
assert.match(cookie, /sid=./, 'writing to the session sets its cookie');

const withCookie = await fetch(url, { headers: { Cookie: cookie } });
assert.deepEqual(await withCookie.json(), { theme: 'dark' }, 'the theme comes back with the cookie');

const without = await fetch(url);
assert.deepEqual(await without.json(), { theme: null }, 'and not without it');

await app.close();
console.log('the theme came back with the cookie, and only with it');
