import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { Logger } from '@nestjs/common';
import { DOCUMENTS, importedFiles, ROOT, shownFile, typeErrors, typeErrorsByDocument } from './compile.js';
import { Document, type Snippet } from './document.js';
import { cookieOf, openPage } from './page-app.js';
import { openWorkplace, startMain, type Workplace } from './run.js';

function snippet(file: string): Snippet {
  return shownFile(file, 'README.md');
}

Logger.overrideLogger(false);
const keyBefore = process.env['SESSION_KEY'];
let workplace: Workplace;

function work(...files: readonly Snippet[]): Workplace {
  process.env['SESSION_KEY'] = randomBytes(32).toString('base64url');
  workplace = openWorkplace(files);
  return workplace;
}

afterEach(() => {
  workplace?.close();
  process.env['SESSION_KEY'] = keyBefore;
});

describe('snippets of documents', () => {
  it.each(DOCUMENTS)('are all found: %s', (name) => {
    const document = Document.read(join(ROOT, name));
    const blocks = document.text.match(/^```(?:ts|typescript|js|javascript)\b/gm) ?? [];
    expect(document.snippets).toHaveLength(blocks.length);
  });

  it.each(DOCUMENTS)('import what the page shows, or a page that it links to: %s', (name) => {
    const { snippets: own, links } = Document.read(join(ROOT, name));
    const places = importedFiles(own, name).map(({ document }) => document);
    const linked = links.map((target) => target.split('#', 1)[0]);
    expect(places.filter((place) => !linked.includes(relative(dirname(name), place)))).toEqual([]);
  });

  it('compile', () => {
    const errors = typeErrorsByDocument(DOCUMENTS);
    expect([...errors.keys()]).toEqual(DOCUMENTS);
    expect([...errors.values()].flat()).toEqual([]);
  });

  it('are found, on their lines, when they do not compile', () => {
    const broken = Document.read(join(ROOT, 'test/docs/broken.md'));
    const errors = typeErrors('broken.md', broken.snippets);
    expect(errors).toEqual([
      expect.stringMatching(/^broken\.md:\d+ .*'logOut'/),
      expect.stringMatching(/^broken\.md:\d+ .*'csrfToken'/),
    ]);
    const lines = broken.text.split('\n');
    expect(errors.map((error) => lines[Number(error.split(/[: ]/)[1]) - 1])).toEqual([
      'await session.logOut();',
      "SessionModule.forRoot({ key: 'secret', csrfToken: true });",
    ]);
  });
});

describe('the cart of the README', () => {
  it('takes an item and a theme, and nothing else', async () => {
    const page = openPage('README.md');
    const controllers = [await page.recipe('cart.controller.ts', 'CartController')];
    const { get, post } = await page.start({ controllers });
    const cookie = cookieOf(await post('/cart', { sku: 'tea', count: 1 }).expect(201, { items: 1 }));
    for (const body of [{}, [], { sku: 'tea' }, { count: 1 }, { sku: 'tea', count: 'two' }])
      expect([body, (await post('/cart', body, cookie)).status]).toEqual([body, 400]);
    await post('/cart', { sku: 'cup', count: '2' }, cookie).expect(201, { items: 2 });
    await get('/cart', cookie).expect(200, [
      { sku: 'tea', count: 1 },
      { sku: 'cup', count: 2 },
    ]);
    await post('/theme', { theme: 'dark' }, cookie).expect(201);
    await post('/theme', { theme: 'loud' }, cookie).expect(400);
    await page.close();
  });
});

describe('the quick start', () => {
  const main = snippet('main.ts');
  const onFastify = { ...snippet('main-fastify.ts'), file: 'main.ts' };

  it.each([
    ['Express', main],
    ['Fastify', onFastify],
  ])('signs in and lists devices, on %s', async (platform, mainFile) => {
    const place = work(snippet('app.module.ts'), mainFile);
    const { app, url } = await startMain(() => place.run('main.ts'));
    expect(app.getHttpAdapter().getType()).toBe(platform.toLowerCase());

    expect((await fetch(`${url}/devices`)).status).toBe(401);
    const signedIn = await fetch(`${url}/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'User-Agent': 'Mozilla/5.0 Firefox/140.0' },
      body: JSON.stringify({ name: 'ada' }),
    });
    const [setCookie = ''] = signedIn.headers.getSetCookie();
    expect(setCookie).toMatch(/^__Host-sid=.*; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
    const [cookie = ''] = setCookie.split(';');
    const devices = await fetch(`${url}/devices`, { headers: { Cookie: cookie } });
    expect(await devices.json()).toMatchObject([{ current: true, meta: { deviceName: 'Firefox' } }]);

    await app.close();
    expect(existsSync(join(place.path, 'app.sessions.sqlite'))).toBe(true);
  });
});
