// Makes the picture of the README, docs/devices.png, from the demo: builds and starts it, lets one user sign in on four
// devices in the course of three weeks, by a clock that is moved, and takes what the last of them sees.
//
//   npm run picture
//   CHROMIUM_PATH=/opt/chromium npm run picture
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const PICTURE = join(ROOT, 'docs/devices.png');
const MAX_BYTES = 200_000;
const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

/** User agents, and addresses that are reserved for documentation. */
const DEVICES = {
  edge: [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0',
    '192.0.2.77',
  ],
  phone: [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1',
    '198.51.100.42',
  ],
  firefox: ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0', '192.0.2.18'],
  laptop: [
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
    '203.0.113.7',
  ],
};

build();
const folder = mkdtempSync(join(tmpdir(), 'picture-of-nest-sessions-'));
const demo = await start(folder);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
try {
  await live();
} finally {
  await browser.close();
  demo.process.kill('SIGINT');
  await once(demo.process, 'exit');
  rmSync(folder, { recursive: true, force: true });
}
const { size } = statSync(PICTURE);
console.log(`${PICTURE}: ${size} bytes`);
if (size > MAX_BYTES) throw new Error(`The picture: expected at most ${MAX_BYTES} bytes, got ${size}`);

/** Three weeks of somebody with four devices, of which three have room. */
async function live() {
  await moveTo(-20 * DAY);
  await signIn(await open('edge'));
  await moveTo(-6 * DAY);
  const phone = await open('phone');
  await signIn(phone);
  await moveTo(-1 * DAY);
  await signIn(await open('firefox'));
  await moveTo(-3 * HOUR);
  const laptop = await open('laptop');
  await signIn(laptop);
  await moveTo(-40 * MINUTE);
  await phone.goto('/');
  await moveTo(0);
  await laptop.goto('/devices');
  const { width } = laptop.viewportSize();
  const { y, height } = await laptop.getByRole('region', { name: 'Recent activity' }).boundingBox();
  await laptop.screenshot({
    path: PICTURE,
    fullPage: true,
    clip: { x: 0, y: 0, width, height: y + height + 32 },
  });
}

function run(command, ...args) {
  execFileSync(command, args, { cwd: ROOT, stdio: 'inherit' });
}

function build() {
  run('npm', 'run', '--silent', 'build');
  run('npx', 'tsc', '-p', 'demo/tsconfig.build.json');
}

async function start(data) {
  const child = fork(join(ROOT, 'demo/.build/main.js'), {
    execArgv: ['--import', new URL('picture/moving-clock.mjs', import.meta.url).href],
    env: { ...process.env, PORT: '0', DEMO_DATA: data },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  for await (const chunk of child.stdout) {
    const [url] = /http:\/\/\S+/.exec(String(chunk)) ?? [];
    if (url !== undefined) return { process: child, url };
  }
  throw new Error('The demo did not start');
}

async function moveTo(distance) {
  demo.process.send(distance);
  await once(demo.process, 'message');
}

async function open(device) {
  const [userAgent, address] = DEVICES[device];
  const context = await browser.newContext({
    baseURL: demo.url,
    userAgent,
    extraHTTPHeaders: { 'X-Forwarded-For': address },
    viewport: { width: 1120, height: 600 },
    deviceScaleFactor: 1.4,
    colorScheme: 'light',
  });
  return context.newPage();
}

async function signIn(page) {
  await page.goto('/sign-in');
  await page.getByLabel('Your name').fill('Ada');
  await page.getByLabel('Remember me').check();
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText('Welcome, Ada.').waitFor();
}
