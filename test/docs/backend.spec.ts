import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DynamicModule, INestApplication } from '@nestjs/common';
import { Controller, Get, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type SessionBackend, Session, SessionStore, UserId } from 'nest-sessions';
import { describeSessionBackend } from 'nest-sessions/testing';
import { Browser } from '../support/browser.js';
import { checkNames, namesIn } from './checks.js';
import { ROOT } from './compile.js';
import { Document } from './document.js';
import { openWorkplace } from './run.js';
import { membersOf } from './source-facts.js';

const page = Document.read(join(ROOT, 'docs/a-backend-of-your-own.md'));
process.env['SESSION_KEY'] = randomBytes(32).toString('base64url');
const workplace = openWorkplace(page.snippets);
const { FileSessionBackend } = (await workplace.run('file-session-backend.ts')) as {
  readonly FileSessionBackend: new (path: string) => SessionBackend;
};
afterAll(() => workplace.close());

const SILENT = { warn: () => {}, error: () => {} };

let files = 0;
const open = (): readonly [SessionBackend, SessionBackend] => {
  const backend = new FileSessionBackend(join(workplace.path, `${files++}.json`));
  return [backend, backend];
};

// As in its own spec, file-session-backend.spec.ts of the page.
describeSessionBackend('FileSessionBackend', open);

describe('docs/a-backend-of-your-own.md', () => {
  it('lists the methods of SessionBackend', () => {
    const members = membersOf('src/core/session-backend.ts', 'SessionBackend');
    expect(checkNames('SessionBackend', namesIn(page.tableUnder('The methods')), members)).toEqual([]);
  });

  it('has a spec that declares the whole contract for it', () => {
    const spec = page.snippets.find(({ file }) => file === 'file-session-backend.spec.ts');
    expect(spec?.code).toContain("describeSessionBackend('FileSessionBackend', () => {");
  });

  it('keeps a signed-in user across a restart of the app', async () => {
    const { sessions } = (await workplace.run('sessions.ts')) as { readonly sessions: DynamicModule };
    const first = await openApp(sessions);
    const browser = new Browser(await portOf(first));
    expect((await browser.post('/login')).status).toBe(201);
    await first.close();

    const second = await openApp(sessions);
    browser.port = await portOf(second);
    expect((await browser.get('/me')).text).toBe('ada');
    await second.close();
  });

  it('has changed nothing when the file cannot be written', async () => {
    const folder = join(workplace.path, 'gone');
    mkdirSync(folder);
    const path = join(folder, 'sessions.json');
    const store = new SessionStore(new FileSessionBackend(path), { key: randomBytes(32) }, SILENT);
    await store.initSchema();
    await store.create({}, 'ada');
    const before = readFileSync(path, 'utf8');

    rmSync(folder, { recursive: true });
    await expect(store.create({}, 'ada')).rejects.toThrow('ENOENT');
    mkdirSync(folder);
    writeFileSync(path, before);
    expect(await store.listForUser('ada')).toHaveLength(1);
    await store.destroyAllForUser('ada');
    expect(await store.listForUser('ada')).toEqual([]);
    await store.close();
  });

  it('lets nobody else on the machine read the file, and does not take one that cannot be read for none', async () => {
    const path = join(workplace.path, 'own.json');
    const store = new SessionStore(new FileSessionBackend(path), { key: randomBytes(32) }, SILENT);
    await store.create({}, 'ada');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await store.close();

    writeFileSync(path, '[{');
    await expect(new FileSessionBackend(path).init()).rejects.toThrow(SyntaxError);
  });
});

@Controller()
class Accounts {
  @Post('login')
  login(@Session() session: Session) {
    return session.authenticate('ada');
  }

  @Get('me')
  me(@UserId() userId: string) {
    return userId;
  }
}

function openApp(sessions: DynamicModule): Promise<INestApplication> {
  @Module({ imports: [sessions], controllers: [Accounts] })
  class App {}
  return NestFactory.create(App, { logger: false });
}

async function portOf(app: INestApplication): Promise<number> {
  await app.listen(0);
  return Number(new URL(await app.getUrl()).port);
}
