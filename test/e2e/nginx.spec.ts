import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { get as plainGet, type IncomingMessage } from 'node:http';
import { json, text } from 'node:stream/consumers';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ROOT, shownFile } from '../docs/compile.js';
import { openWorkplace, type Workplace } from '../docs/run.js';
import { isReachable, openDatabase, type TestDatabase } from '../support/databases.js';
import { freePort, withPrograms } from '../support/programs.js';
import { canBrowse, launchChromium } from './support/chromium.js';
import { Nginx } from './support/nginx.js';
import { RecipeProcess } from './support/recipe-process.js';

const PAGE = 'docs/deploy.md';
const HOST = 'app.example.com';
/** The block of the page. */
const [, BLOCK = ''] = /^```nginx\n([^]*?)\n```$/m.exec(readFileSync(join(ROOT, PAGE), 'utf8')) ?? [];
/** The servers of its upstream, as they are to stand there. */
const SERVER = /server 10\.0\.0\.\d+:3000\b/g;
/** The address of a client that is not the proxy's: all of 127.0.0.0/8 is this machine. */
const CLIENT = '127.0.0.2';

interface Answer {
  readonly status: number;
  readonly cookie: string;
  readonly setCookie: readonly string[];
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

/** The files of the page on PostgreSQL, with its health check, behind a proxy on this machine. */
function filesOf(main: string) {
  const app = shownFile('app.module.ts', PAGE);
  const onSqlite = "type: 'sqlite', database: 'app.sqlite'";
  const fromSqlite = shownFile('app.module.ts', 'docs/databases.md');
  const onPostgres = "type: 'postgres', url: process.env.DATABASE_URL";
  expect([app.code, fromSqlite.code]).toEqual([
    expect.stringContaining(onSqlite),
    expect.stringContaining(onPostgres),
  ]);
  const code = app.code
    .replace(onSqlite, onPostgres)
    .replace('imports: [', 'imports: [HealthModule,')
    .replace(/^import/m, "import { HealthModule } from './health.module.js';\nimport");
  const mainFile = shownFile(main, PAGE);
  const mainCode = mainFile.code
    .replace("'10.0.0.5'", "'127.0.0.1'")
    .replace('process.env.PORT', 'process.env.SAME_PORT');
  return [
    { ...app, code },
    { ...mainFile, code: mainCode },
    shownFile('health.module.ts', PAGE),
    shownFile('health.controller.ts', PAGE),
  ];
}

withPrograms(['nginx'], () => {
  (isReachable('postgres')
    ? describe.each(['main.ts', 'main-fastify.ts'])
    : describe.skip.each([['no PostgreSQL']]))(
    'two replicas behind the nginx of the page about deployment, %s',
    (main) => {
      let database: TestDatabase;
      let place: Workplace;
      let env: NodeJS.ProcessEnv;
      /** Of the replicas: one that restarts keeps it. */
      let ports: number[] = [];
      let replicas: RecipeProcess[] = [];
      let nginx: Nginx;
      let origin: string;

      beforeAll(async () => {
        database = await openDatabase('postgres');
        place = openWorkplace(filesOf(main));
        const options = database.options();
        if (options.type !== 'postgres') throw new Error(`Expected PostgreSQL, got ${options.type}`);
        const { host, port, username, password = '', database: name } = options;
        env = {
          DATABASE_URL: `postgres://${username}:${String(password)}@${host}:${port}/${name}`,
          SESSION_KEY: randomBytes(32).toString('base64url'),
          NODE_ENV: 'production',
        };
        ports = [await freePort(), await freePort()];
        replicas = await Promise.all(ports.map(start));
        nginx = await behind(BLOCK);
        origin = `https://${HOST}:${nginx.port.https}`;
      });
      afterAll(async () => {
        await nginx?.stop();
        for (const replica of replicas) await replica.stop();
        place?.close();
        await database?.drop();
      });

      const start = (port: number) =>
        RecipeProcess.start(join(place.path, main), { ...env, SAME_PORT: String(port) });

      /** An nginx with this block in front of the replicas. */
      function behind(block: string): Promise<Nginx> {
        const left = [...ports];
        const placed = block.replaceAll(SERVER, () => `server 127.0.0.1:${left.shift()}`);
        expect(left).toEqual([]);
        return Nginx.with(placed, HOST, []);
      }

      /** Through nginx, as a client elsewhere sends it. */
      function send(
        path: string,
        {
          method = 'GET',
          headers = {},
          proxy = nginx,
        }: { method?: string; headers?: object; proxy?: Nginx } = {},
      ): Promise<Answer> {
        const port = proxy.port.https;
        return new Promise((resolve, reject) => {
          const outgoing = request(
            {
              host: '127.0.0.1',
              port,
              path,
              method,
              localAddress: CLIENT,
              servername: HOST,
              rejectUnauthorized: false,
              agent: false,
              headers: { Host: `${HOST}:${port}`, 'Content-Type': 'application/json', ...headers },
            },
            (incoming) => void answerOf(incoming).then(resolve, reject),
          );
          outgoing.on('error', reject).end(method === 'POST' ? '{"name":"ada"}' : undefined);
        });
      }

      async function answerOf(incoming: IncomingMessage): Promise<Answer> {
        const setCookie = incoming.headers['set-cookie'] ?? [];
        const isJson = String(incoming.headers['content-type']).includes('json');
        return {
          status: incoming.statusCode ?? 0,
          cookie: setCookie[0]?.split(';')[0] ?? '',
          setCookie,
          headers: incoming.headers,
          body: await (isJson ? json(incoming) : text(incoming)),
        };
      }

      /** At one replica, as nginx would ask it. */
      const direct = (port: number, path: string, cookie = ''): Promise<Answer> =>
        new Promise((resolve, reject) => {
          const options = { host: '127.0.0.1', port, path, headers: { Cookie: cookie }, agent: false };
          const take = (incoming: IncomingMessage) => void answerOf(incoming).then(resolve, reject);
          plainGet(options, take).on('error', reject);
        });

      /** Resolves when the health check of a replica has said yes; Nest says that it has started before it listens. */
      async function isReady(port: number): Promise<void> {
        for (const end = performance.now() + 20_000; performance.now() < end; await nextTurn()) {
          const ready = await direct(port, '/health/ready').catch(() => null);
          if (ready?.status === 200) return;
        }
        throw new Error(`Expected the replica at ${port} to be ready`);
      }

      it('know a session that one of them has signed in', async () => {
        const { status, cookie, setCookie } = await send('/login', { method: 'POST' });
        expect([status, setCookie]).toEqual([201, [expect.stringMatching(/^__Host-sid=.*; Secure/)]]);
        const answers = await Promise.all(ports.map((port) => direct(port, '/devices', cookie)));
        expect(answers.map((answer) => answer.status)).toEqual([200, 200]);
        expect((await send('/devices', { headers: { Cookie: cookie } })).status).toBe(200);
      });

      it('record the address of the client, and none that it makes up', async () => {
        const headers = { 'X-Forwarded-For': '203.0.113.9' };
        const { cookie } = await send('/login', { method: 'POST', headers });
        const { body } = await send('/devices', { headers: { Cookie: cookie } });
        const mine = (body as { current: boolean; meta: object }[]).find(({ current }) => current);
        expect(mine?.meta).toMatchObject({ ip: CLIENT });
      });

      it('serve a page of their own that sends a POST, and refuse those of others', async () => {
        const post = (from: object) => send('/login', { method: 'POST', headers: from });
        expect((await post({ Origin: origin })).status).toBe(201);
        for (const from of [
          { Origin: 'https://evil.example' },
          { Origin: origin.replace('app.', 'evil.'), 'Sec-Fetch-Site': 'same-site' },
          { Origin: `https://${HOST}` }, // another port is another origin
        ]) {
          const { status, body } = await post(from);
          expect([status, body]).toEqual([403, expect.objectContaining({ code: 'cross_site_request' })]);
        }
      });

      it('refuse a page of their own where nginx does not pass the host on', async () => {
        const without = BLOCK.replace(/^.*proxy_set_header Host .*\n/m, '');
        expect(without).not.toBe(BLOCK);
        const proxy = await behind(without);
        try {
          const headers = { Origin: `https://${HOST}:${proxy.port.https}` };
          expect((await send('/login', { method: 'POST', headers, proxy })).status).toBe(403);
        } finally {
          await proxy.stop();
        }
      });

      it('record the address of the proxy where nginx does not pass that of the client on', async () => {
        const proxy = await behind(BLOCK.replace(/^.*X-Forwarded-For.*\n/m, ''));
        try {
          const { cookie } = await send('/login', { method: 'POST', proxy });
          const { body } = await send('/devices', { headers: { Cookie: cookie }, proxy });
          const mine = (body as { current: boolean; meta: object }[]).find(({ current }) => current);
          expect(mine?.meta).toMatchObject({ ip: expect.stringMatching(/127\.0\.0\.1$/) });
        } finally {
          await proxy.stop();
        }
      });

      it('say nothing of an insecure cookie, before one came without X-Forwarded-Proto', async () => {
        const warnings = () => replicas.filter(({ log }) => log.includes('A Secure cookie was set')).length;
        expect(warnings()).toBe(0);
        const proxy = await behind(BLOCK.replace(/^.*X-Forwarded-Proto.*\n/m, ''));
        try {
          for (let i = 0; i < 4; i++) await send('/login', { method: 'POST', proxy });
          expect(warnings()).toBe(2);
        } finally {
          await proxy.stop();
        }
      });

      it('answer health checks without a session', async () => {
        for (const port of ports) {
          for (const path of ['/health/live', '/health/ready']) {
            const { status, setCookie, body } = await direct(port, path);
            expect([status, setCookie, body]).toEqual([200, [], expect.objectContaining({ status: 'ok' })]);
          }
        }
      });

      it('send who comes by http to https', async () => {
        const answer = await new Promise<IncomingMessage>((resolve, reject) => {
          const { http } = nginx.port;
          plainGet(
            { host: '127.0.0.1', port: http, path: '/devices?a=1', headers: { Host: HOST } },
            resolve,
          ).on('error', reject);
        });
        answer.resume();
        expect([answer.statusCode, answer.headers.location]).toEqual([301, `https://${HOST}/devices?a=1`]);
      });

      (canBrowse ? it : it.skip)('keep a visitor with Chromium signed in', async () => {
        const browser = await launchChromium({ args: [`--host-resolver-rules=MAP ${HOST} 127.0.0.1`] });
        try {
          const context = await browser.newContext({ ignoreHTTPSErrors: true });
          const tab = await context.newPage();
          await tab.goto(`${origin}/health/live`);
          const statuses = await tab.evaluate(`(async () => {
            const body = JSON.stringify({ name: 'ada' });
            const headers = { 'Content-Type': 'application/json' };
            const login = await fetch('/login', { method: 'POST', headers, body });
            return [login.status, (await fetch('/devices')).status, (await fetch('/devices')).status];
          })()`);
          expect(statuses).toEqual([201, 200, 200]);
          expect(await context.cookies()).toMatchObject([{ name: '__Host-sid', secure: true }]);
        } finally {
          await browser.close();
        }
      });

      it('serve everybody on while they restart in turn', async () => {
        const { cookie } = await send('/login', { method: 'POST' });
        const statuses = new Map<number, number>();
        const over = new AbortController();
        const visit = async () => {
          while (!over.signal.aborted) {
            const { status } = await send('/devices', { headers: { Cookie: cookie } });
            statuses.set(status, (statuses.get(status) ?? 0) + 1);
          }
        };
        const visitors = Promise.all(Array.from({ length: 8 }, visit));
        try {
          for (const [index, port] of ports.entries()) {
            await replicas[index]?.stop();
            replicas[index] = await start(port);
            await isReady(port);
          }
        } finally {
          over.abort();
          await visitors;
        }
        expect([...statuses.keys()]).toEqual([200]);
      }, 60_000);

      it('serve everybody on when one of them stops', async () => {
        const { cookie } = await send('/login', { method: 'POST' });
        await replicas[0]?.stop();
        const statuses = [];
        for (let i = 0; i < 4; i++)
          statuses.push((await send('/devices', { headers: { Cookie: cookie } })).status);
        expect(statuses).toEqual([200, 200, 200, 200]);
      });
    },
  );
});
