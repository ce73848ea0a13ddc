import { randomBytes } from 'node:crypto';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, request, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import ts from 'typescript';
import { importedFiles, ROOT, type ShownFile, shownFile } from '../docs/compile.js';
import { openWorkplace, type Workplace } from '../docs/run.js';
import { freePort } from '../support/programs.js';
import { canBrowse, launchChromium } from './support/chromium.js';
import { RecipeProcess } from './support/recipe-process.js';
import { selfSigned } from './support/self-signed.js';

const PAGE = 'docs/spa-and-cors.md';
const text = readFileSync(join(ROOT, PAGE), 'utf8');
const main = shownFile('main.ts', PAGE);
const app = shownFile('app.module.ts', PAGE);
const api = shownFile('api.ts', PAGE);
const account = shownFile('account.ts', PAGE);
/** The app with real users. */
const signInApp = shownFile('app.module.ts', 'docs/sign-in.md');

const FRONT = 'http://localhost:4200';
const CORS = `app.enableCors({ origin: '${FRONT}', credentials: true });`;
const ORIGINS = `csrf: { origins: ['${FRONT}'] },`;
const INCLUDE = "credentials: 'include',";
const SITES = { page: 'https://app.example', api: 'https://api.elsewhere.example' };

/** What the browser shows when a line is missing, by the code of the first cell. */
function shownFor(line: string): string {
  const row = text.split('\n').find((one) => one.startsWith('| ') && one.includes(line)) ?? '';
  const [, , symptom = ''] = row.split('|');
  return /`([^`]*)`/.exec(symptom)?.[1] ?? symptom.trim();
}

/** Changes of the files: what the page has, and what takes its place. */
interface Changes {
  readonly main?: (code: string) => string;
  /** What `SessionModule` has beside the key. */
  readonly options?: string;
  readonly api?: (code: string) => string;
  /** The app, in place of that of getting started. */
  readonly app?: ShownFile;
}

interface Opened {
  /** Signs in and lists devices by the page's `api()`: the status of each, or why there is none. */
  visit(): Promise<string[]>;
  /** What a script of the page makes. */
  run(script: string): Promise<unknown>;
  readonly console: readonly string[];
  readonly log: () => string;
}

(canBrowse ? describe : describe.skip)('in Chromium, a single-page app', () => {
  let browser: Browser;
  const closing: (() => unknown)[] = [];

  beforeAll(async () => {
    const args = ['--host-resolver-rules=MAP *.example 127.0.0.1,MAP *.example.com 127.0.0.1'];
    browser = await launchChromium({ args });
  });
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });
  afterAll(() => browser?.close());

  async function startApi(mainCode: string, options: string, of = app): Promise<RecipeProcess> {
    const [key] = /SessionModule\.forRoot\(\{ key: process\.env\.SESSION_KEY \}\)/.exec(of.code) ?? [''];
    expect(key).not.toBe('');
    const module = of.code.replace(key, key.replace(' })', `, ${options} })`));
    const place: Workplace = openWorkplace([
      ...importedFiles([of], of.document),
      { ...of, code: module },
      { ...main, code: mainCode },
    ]);
    closing.push(() => place.close());
    const env = { SESSION_KEY: randomBytes(32).toString('base64url') };
    const process = await RecipeProcess.start(join(place.path, main.file), env);
    closing.push(() => process.stop());
    return process;
  }

  /** The page's `api()` on one origin, and the API on another. */
  async function open(
    { main: changeMain = same, options = ORIGINS, api: changeApi = same, app: of = app }: Changes = {},
    sites?: { readonly page: string; readonly api: string },
  ): Promise<Opened> {
    const hosts = Object.values(sites ?? {}).map((url) => new URL(url).hostname);
    const certificate = sites ? selfSigned(...hosts) : undefined;
    let script = '';
    const serve: RequestListener = ({ url }, response) => {
      const isScript = url?.endsWith('.js') ?? false;
      response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
      const html = '<!doctype html><title>Front end</title><link rel="icon" href="data:,">';
      response.end(isScript ? (url === '/api.js' ? script : javascript(account.code)) : html);
    };
    const server = certificate ? createHttpsServer(certificate, serve) : createServer(serve);
    await once(server.listen(0), 'listening');
    closing.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const pageUrl = `${sites?.page ?? 'http://localhost'}:${port}`;
    const withOrigin = (code: string) =>
      code.replaceAll(FRONT, pageUrl).replaceAll(`${SITES.page}'`, `${pageUrl}'`);
    const overHttps = (code: string) =>
      certificate
        ? code.replace(
            'create(AppModule)',
            `create(AppModule, { httpsOptions: ${JSON.stringify(certificate)} })`,
          )
        : code;
    const process = await startApi(overHttps(withOrigin(changeMain(main.code))), withOrigin(options), of);
    const apiUrl = `${sites?.api ?? 'http://localhost'}:${process.port}`;
    script = javascript(changeApi(api.code).replace('http://localhost:3000', apiUrl));
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    closing.push(() => context.close());
    const tab = await context.newPage();
    const lines: string[] = [];
    tab.on('console', (line) => lines.push(line.text()));
    await tab.goto(pageUrl);
    return {
      console: lines,
      log: () => process.log,
      run: (code) => tab.evaluate(code),
      visit: () =>
        tab.evaluate(`import('/api.js').then(async ({ api }) => {
          const say = (call) => call.then(({ status }) => String(status), (error) => error.message);
          return [await say(api('/login', { name: 'ada' })), await say(api('/devices'))];
        })`),
    };
  }

  describe('on localhost:4200, with the API on localhost:3000,', () => {
    it('signs in and lists devices', async () => {
      const page = await open();
      expect(await page.visit()).toEqual(['201', '200']);
    });

    it('signs up, out and in by the calls of the page, with real users', async () => {
      const page = await open({ app: signInApp });
      const said = await page.run(`import('/account.js').then(async ({ signUp, signIn, signOut }) => {
        const ada = ['ada@example.com', 'correct horse battery'];
        const say = (call) => call.then(() => 'done', (error) => error.message.slice(0, 3));
        return [
          await say(signUp(...ada)),
          await say(signUp(...ada)),
          await say(signOut()),
          await say(signIn(ada[0], 'guessed')),
          await say(signIn(...ada, true)),
          await say(signOut()),
        ];
      })`);
      expect(said).toEqual(['done', '409', 'done', '401', 'done', 'done']);
    });

    it('has no account of a sign-up that is refused without csrf.origins', async () => {
      const page = await open({ app: signInApp, options: '' });
      const said = await page.run(`import('/account.js').then(async ({ signUp }) => {
        const say = () => signUp('ada@example.com', 'correct horse battery').catch(({ message }) => message);
        return [await say(), await say()];
      })`);
      expect(said).toEqual(
        Array.from({ length: 2 }, () => expect.stringMatching(/^403 .*cross_site_request/)),
      );
    });

    it('is blocked without enableCors, as the page says', async () => {
      const page = await open({ main: without(CORS) });
      expect(await page.visit()).toEqual(['Failed to fetch', 'Failed to fetch']);
      expect(page.console.join('\n')).toContain(shownFor('`enableCors`'));
    });

    it('is blocked without the origin', async () => {
      const page = await open({ main: instead(`origin: '${FRONT}', `, '') });
      expect((await page.visit())[0]).toBe('Failed to fetch');
      expect(page.console.join('\n')).toContain(shownFor('its `origin`'));
    });

    it('is blocked without credentials: true', async () => {
      const page = await open({ main: instead(', credentials: true', '') });
      expect((await page.visit())[0]).toBe('Failed to fetch');
      expect(page.console.join('\n')).toContain(shownFor('its `credentials: true`'));
    });

    it('is refused without csrf.origins, and the log says which origin to list', async () => {
      const page = await open({ options: '' });
      const [login, devices] = await page.visit();
      expect([login, devices]).toEqual([
        expect.stringMatching(/^403 .*cross_site_request/),
        expect.stringMatching(/^401/),
      ]);
      expect(shownFor('`csrf.origins`')).toBe('cross_site_request');
      expect(page.log()).toMatch(/Origin: http:\/\/localhost:\d+, Sec-Fetch-Site: same-site/);
    });

    it("signs in and is forgotten without credentials: 'include'", async () => {
      const page = await open({ api: without(INCLUDE) });
      expect(await page.visit()).toEqual(['201', expect.stringMatching(/^401/)]);
      expect(shownFor("`credentials: 'include'`")).toMatch(/201.*401/);
    });
  });

  it('on app.example.com, with the API on api.example.com, needs no more than that', async () => {
    const sites = { page: 'https://app.example.com', api: 'https://api.example.com' };
    const page = await open({}, sites);
    expect(await page.visit()).toEqual(['201', '200']);
  });

  describe('on another site than the API', () => {
    /** The options of the page, as they are there. */
    const [, ofPage = ''] =
      /(csrf: \{ origins: \['https:\/\/app\.example'\] \},\n  cookie: \{ .*? \},)\n/.exec(text) ?? [];
    const COOKIE = "cookie: { sameSite: 'none', partitioned: true },";
    const openWith = (cookie: string) =>
      open({ main: instead(FRONT, SITES.page), options: instead(COOKIE, cookie)(ofPage) }, SITES);

    it("signs in with sameSite: 'none' and partitioned, in a private window", async () => {
      expect(await (await openWith(COOKIE)).visit()).toEqual(['201', '200']);
    });

    it.each([
      ['a Lax cookie', ''],
      ['one that is not partitioned', "cookie: { sameSite: 'none' },"],
    ])('signs in and is forgotten with %s', async (_, cookie) => {
      expect(await (await openWith(cookie)).visit()).toEqual(['201', expect.stringMatching(/^401/)]);
    });
  });

  describe('on localhost, with two APIs on two ports,', () => {
    /** Signs in to one, then to the other. @returns what the first says of its devices then */
    async function signInToBoth(one: RecipeProcess, another: RecipeProcess): Promise<unknown> {
      const context = await browser.newContext();
      closing.push(() => context.close());
      const tab = await context.newPage();
      for (const { port } of [one, another]) {
        await tab.goto(`http://localhost:${port}/devices`);
        const signIn = `(async () => {
          const headers = { 'Content-Type': 'application/json' };
          const login = await fetch('/login', { method: 'POST', headers, body: '{"name":"ada"}' });
          return [login.status, (await fetch('/devices')).status];
        })()`;
        expect(await tab.evaluate(signIn)).toEqual([201, 200]);
      }
      return (await tab.goto(`http://localhost:${one.port}/devices`))?.status();
    }

    it('is signed out of the first by the sign-in to the second, unless the names of their cookies differ', async () => {
      const [shop = ''] = /cookie: \{ name: '\w+' \}/.exec(text) ?? [];
      const [first, second] = [await startApi(main.code, ''), await startApi(main.code, '')];
      expect(await signInToBoth(first, second)).toBe(401);
      expect(await signInToBoth(first, await startApi(main.code, shop))).toBe(200);
    });
  });

  const VITE = join(ROOT, 'docs/node_modules/vite/bin/vite.js');
  const canServe = existsSync(VITE) || process.env['CI'] === 'true';
  if (!canServe) process.stderr.write('The dev proxy is not run here: npm ci --prefix docs\n');

  /** What the page shows for Angular, whose dev server hands it to Vite. */
  const [, ofAngular = ''] = /`proxy\.conf\.json`[^]*?```json\n([^]*?)\n```/.exec(text) ?? [];
  const forVite = shownFile('vite.config.ts', PAGE).code;
  const forAngular = `export default { server: { port: 4200, proxy: ${ofAngular} } };`;

  (canServe ? describe : describe.skip)('behind a dev proxy', () => {
    async function openProxy(config: string): Promise<number> {
      const listen = 'await app.listen';
      const prefix = "app.setGlobalPrefix('api')";
      expect(text).toContain(prefix);
      const mainCode = instead(listen, `${prefix};\n${listen}`)(without(CORS)(main.code));
      const backend = await startApi(mainCode, '');
      const port = await freePort();
      const folder = mkdtempSync(join(tmpdir(), 'front-end-'));
      closing.push(() => rmSync(folder, { recursive: true }));
      mkdirSync(join(folder, 'node_modules'));
      symlinkSync(join(ROOT, 'docs/node_modules/vite'), join(folder, 'node_modules/vite'));
      const ported = config.replace('4200', String(port)).replace(':3000', `:${backend.port}`);
      writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
      writeFileSync(join(folder, 'vite.config.ts'), ported);
      writeFileSync(join(folder, 'index.html'), '<!doctype html><title>Front end</title>');
      writeFileSync(join(folder, 'api.ts'), 'export const mine = true;');
      const vite = spawn(process.execPath, [VITE, '--strictPort'], { cwd: folder, stdio: 'ignore' });
      closing.push(() => ended(vite));
      await reachable(port, vite);
      return port;
    }

    it.each([
      ['vite.config.ts', forVite],
      ['proxy.conf.json', forAngular],
    ])('signs in and lists devices, with nothing said of origins: %s', async (_, config) => {
      const port = await openProxy(config);
      const context = await browser.newContext();
      closing.push(() => context.close());
      const tab = await context.newPage();
      await tab.goto(`http://localhost:${port}`);
      const statuses = await tab.evaluate(`(async () => {
        const headers = { 'Content-Type': 'application/json' };
        const login = await fetch('/api/login', { method: 'POST', headers, body: '{"name":"ada"}' });
        return [login.status, (await fetch('/api/devices')).status];
      })()`);
      expect(statuses).toEqual([201, 200]);
      expect(await tab.evaluate(`import('/api.ts').then(({ mine }) => mine)`)).toBe(true);
      expect(await postFrom(port)).toBe(201);
    });

    it('asks Nest for /api.ts, with a key that does not end in a slash', async () => {
      const port = await openProxy(instead("'/api/'", "'/api'")(forVite));
      expect((await fetch(`http://localhost:${port}/api.ts`)).status).toBe(404);
      expect((await fetch(`http://localhost:${port}/`)).status).toBe(200);
    });

    it('is refused, for a browser without Sec-Fetch-Site, in the short form, for which Vite sets changeOrigin', async () => {
      const [short = ''] = /'\/api\/': 'http:\/\/localhost:3000'/.exec(text) ?? [];
      const config = instead("'/api/': { target: 'http://localhost:3000' }", short)(forVite);
      expect(await postFrom(await openProxy(config))).toBe(403);
    });
  });
});

const same = (code: string): string => code;
const without = (line: string) => instead(line, '');

function instead(old: string, replacement: string) {
  return (code: string): string => {
    expect(code).toContain(old);
    return code.replaceAll(old, replacement);
  };
}

function javascript(code: string): string {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  return ts.transpileModule(code, { compilerOptions }).outputText;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}

async function reachable(port: number, child: ChildProcess): Promise<void> {
  for (const end = performance.now() + 30_000; performance.now() < end; await sleep(50)) {
    const socket = connect(port, 'localhost');
    const isThere = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'close').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (isThere) return;
    if (child.exitCode !== null) break;
  }
  throw new Error(`Vite has not started on port ${port}`);
}

/** As an older browser sends a form of the page on that port. */
function postFrom(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { Origin: `http://localhost:${port}`, 'Content-Type': 'application/json' };
    const take = (incoming: IncomingMessage) => {
      incoming.resume();
      resolve(incoming.statusCode ?? 0);
    };
    request({ host: 'localhost', port, path: '/api/login', method: 'POST', headers, agent: false }, take)
      .on('error', reject)
      .end('{"name":"ada"}');
  });
}
