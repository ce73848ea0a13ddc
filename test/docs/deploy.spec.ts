import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type INestApplication, Logger, Module, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { SessionModule } from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import request from 'supertest';
import { ROOT, shownFile } from './compile.js';
import { Document } from './document.js';
import { openWorkplace, type Workplace } from './run.js';

// What the page says of nginx and of replicas is run by test/e2e/nginx.spec.ts.
Logger.overrideLogger(false);
const PAGE = 'docs/deploy.md';

/** Storage that can go away. */
class MortalBackend extends MemorySessionBackend {
  isDown = false;

  override touch(...args: Parameters<MemorySessionBackend['touch']>) {
    return this.isDown ? Promise.reject(new Error('the database is down')) : super.touch(...args);
  }
}

describe('the health checks of the page about deployment', () => {
  let place: Workplace;
  let app: INestApplication;
  let backend: MortalBackend;

  beforeEach(async () => {
    place = openWorkplace([shownFile('health.module.ts', PAGE), shownFile('health.controller.ts', PAGE)]);
    await start();
  });
  afterEach(async () => {
    await app.close();
    place.close();
  });

  async function start(): Promise<void> {
    const { HealthModule } = (await place.run('health.module.ts')) as { HealthModule: Type };
    backend = new MortalBackend();

    @Module({
      imports: [SessionModule.forRoot({ key: randomBytes(32), requireAuth: true, backend }), HealthModule],
    })
    class AppModule {}

    const silent = { log: () => undefined, warn: () => undefined, error: () => undefined };
    const testing = await Test.createTestingModule({ imports: [AppModule] })
      .setLogger(silent)
      .compile();
    app = await testing.createNestApplication().init();
  }

  const get = (path: string) => request(app.getHttpServer() as string).get(path);

  it('answer where every other route needs a user, and set no cookie', async () => {
    const live = await get('/health/live').expect(200, { status: 'ok' });
    const ready = await get('/health/ready').expect(200);
    expect(ready.body).toMatchObject({
      status: 'ok',
      info: { sessions: { status: 'up', lastCleanup: null } },
    });
    expect([live.get('Set-Cookie'), ready.get('Set-Cookie')]).toEqual([undefined, undefined]);
    await get('/elsewhere').expect(404);
  });

  it('are down, and still alive, while the database is', async () => {
    backend.isDown = true;
    await get('/health/live').expect(200);
    const ready = await get('/health/ready').expect(503);
    expect(ready.body).toMatchObject({ error: { sessions: { status: 'down' } } });
  });

  it.each([
    ['an error for each check that fails', 'TerminusModule', 2],
    ['nothing, by what the page says', 'TerminusModule.forRoot({ logger: false })', 0],
  ])('log %s', async (_, terminus, lines) => {
    await app.close();
    place.close();
    const shown = shownFile('health.module.ts', PAGE);
    const code = shown.code.replace('[TerminusModule]', `[${terminus}]`);
    expect(Document.read(join(ROOT, PAGE)).text).toContain(`\`${terminus}\``);
    place = openWorkplace([{ ...shown, code }, shownFile('health.controller.ts', PAGE)]);
    await start();
    backend.isDown = true;
    const logged: string[] = [];
    const drop = () => undefined;
    Logger.overrideLogger({ log: drop, warn: drop, error: (message: string) => void logged.push(message) });
    for (let i = 0; i < 2; i++) await get('/health/ready').expect(503);
    Logger.overrideLogger(false);
    expect(logged.filter((message) => message.startsWith('Health Check has failed'))).toHaveLength(lines);
  });
});
