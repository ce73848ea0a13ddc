import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type INestApplication, Logger, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { SessionStore } from 'nest-sessions';
import { signIn } from 'nest-sessions/testing';
import { ROOT, shownFile } from './compile.js';
import { Document } from './document.js';
import { withoutDataSource, openWorkplace, type Workplace } from './run.js';

Logger.overrideLogger(false);
const PAGE = 'docs/getting-started.md';
const silent = { log: () => undefined, warn: () => undefined, error: () => undefined };

describe('the quick start of getting started', () => {
  it.each(['app.module.ts', 'main.ts'])(
    'is the one of the README, which snippets.spec.ts runs: %s',
    (file) => {
      expect(shownFile(file, PAGE).code).toBe(shownFile(file, 'README.md').code);
    },
  );

  it('is started on Fastify by the line that is run there', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const [line = ''] =
      /^const app = .*new FastifyAdapter.*$/m.exec(shownFile('main-fastify.ts', PAGE).code) ?? [];
    expect(line).not.toBe('');
    expect(readme).toContain(line);
  });

  it('is installed by the lines of the README', () => {
    const lines = (name: string) =>
      Document.read(join(ROOT, name)).commands.filter((line) => line.startsWith('npm i nest-sessions'));
    expect(lines(PAGE)).toHaveLength(2);
    expect(lines(PAGE)).toEqual(lines('README.md'));
  });
});

describe('the module that reads its key with ConfigService', () => {
  const keyBefore = process.env['SESSION_KEY'];
  let place: Workplace;
  let app: INestApplication | undefined;

  beforeEach(() => {
    delete process.env['SESSION_KEY'];
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
    place.close();
    process.env['SESSION_KEY'] = keyBefore;
  });

  async function start(env: string, file = shownFile('configured.module.ts', PAGE)) {
    place = openWorkplace([file]);
    writeFileSync(join(place.path, '.env'), env);
    const { ConfiguredModule } = (await place.run('configured.module.ts')) as { ConfiguredModule: Type };
    const testing = await Test.createTestingModule({ imports: [ConfiguredModule] })
      .setLogger(silent)
      .compile();
    app = await testing.createNestApplication().init();
    return app;
  }

  it('finds it in .env, and signs users in', async () => {
    const started = await start(`SESSION_KEY=${randomBytes(32).toString('base64url')}\n`);
    expect(started.get(SessionStore).config.ttl).toBe(8 * 60 * 60 * 1000);
    expect((await signIn(started, 'ada')).cookie).toMatch(/^__Host-sid=/);
    expect(existsSync(join(place.path, 'app.sessions.sqlite'))).toBe(true);
  });

  it('does not start without it', async () => {
    await expect(start('', withoutDataSource(shownFile('configured.module.ts', PAGE)))).rejects.toThrow(
      'SESSION_KEY',
    );
  });
});
