import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { anchorOf } from '../../docs/.vitepress/site/anchors.js';
import { ROOT } from '../docs/compile.js';
import { Document } from '../docs/document.js';
import { optionNames } from '../docs/source-facts.js';
import { canBrowse, launchChromium } from './support/chromium.js';

const VITEPRESS = join(ROOT, 'docs/node_modules/vitepress/bin/vitepress.js');
const canBuild = existsSync(VITEPRESS) || process.env['CI'] === 'true';
if (!canBuild) process.stderr.write('The site of the pages is not built here: npm ci --prefix docs\n');

const PAGES = readdirSync(join(ROOT, 'docs'))
  .filter((file) => file.endsWith('.md'))
  .map((file) => ({
    file: file === 'README.md' ? 'index.html' : file.replace('.md', '.html'),
    document: Document.read(join(ROOT, 'docs', file)),
  }));

(canBuild && canBrowse ? describe : describe.skip)('the site of the pages', () => {
  let folder: string;
  let site: Server;
  let browser: Browser;
  let url: string;
  const html = (file: string): string => readFileSync(join(folder, file), 'utf8');

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'site-'));
    await promisify(execFile)(process.execPath, [VITEPRESS, 'build', join(ROOT, 'docs'), '--outDir', folder]);
    site = serve(folder);
    await once(site, 'listening');
    url = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
    rmSync(folder, { recursive: true });
  });

  /** A window, and what went wrong in it: what did not load, what came from elsewhere, what a script threw. */
  async function open(width: number): Promise<{ page: Page; faults: string[] }> {
    const page = await browser.newPage({ viewport: { width, height: 800 } });
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('request', (request) => {
      if (!/^(?:data|blob):/.test(request.url()) && !request.url().startsWith(url))
        faults.push(request.url());
    });
    page.on('response', (response) => {
      if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`);
    });
    return { page, faults };
  }

  it('has every page, and the same anchors as the forge', () => {
    expect(PAGES.length).toBeGreaterThan(20);
    const [options] = PAGES.filter(({ file }) => file === 'options.html');
    expect(options?.document.headings.map(anchorOf)).toEqual(
      expect.arrayContaining(optionNames().map(anchorOf)),
    );
    for (const { file, document } of PAGES) {
      const ids = [...html(file).matchAll(/<h[1-6] id="([^"]+)"/g)].map(([, id = '']) => id);
      expect([file, ...ids]).toEqual([file, ...numbered(document.headings.map(anchorOf))]);
    }
  });

  it('has no link that leads nowhere', () => {
    const dead = PAGES.flatMap(({ file }) =>
      linksOf(html(file)).filter((target) => {
        if (target.startsWith('https://')) return false;
        const [path = '', anchor] = target.split('#', 2);
        const there = path === '' ? file : path === '/' ? 'index.html' : path.slice(1);
        if (!existsSync(join(folder, there))) return true;
        return anchor !== undefined && !html(there).includes(`id="${decodeURIComponent(anchor)}"`);
      }),
    );
    expect(dead).toEqual([]);
  });

  it('finds "remember me", and leads to the heading', async () => {
    const { page, faults } = await open(1280);
    await page.goto(`${url}/`);
    await page.getByRole('button', { name: 'Search' }).click();
    await page.locator('#localsearch-input').fill('remember me');
    const first = page.locator('#localsearch-list a').first();
    await first.waitFor();
    expect(await first.getAttribute('href')).toBe('/sign-in.html#remember-me');
    await first.click();
    await page.waitForURL(`${url}/sign-in.html#remember-me`);
    await page.locator('#remember-me').waitFor(); // the address changes before the page is there
    expect(faults).toEqual([]);
    await page.close();
  });

  it.each([320, 1280])('fits a window of %d pixels, and needs nothing from elsewhere', async (width) => {
    const { page, faults } = await open(width);
    for (const { file } of PAGES) {
      await page.goto(`${url}/${file}`);
      const needed = await page.evaluate<number>('document.documentElement.scrollWidth');
      if (needed > width) faults.push(`${file} is ${needed} pixels wide`);
    }
    expect(faults).toEqual([]);
    await page.close();
  });

  it('shows the picture that goes with the switch', async () => {
    const { page } = await open(1280);
    await page.goto(`${url}/costs.html`);
    const shown = (): Promise<(string | null)[]> =>
      page
        .locator('main img:visible')
        .evaluateAll((images) => images.map((one) => one.getAttribute('class')));
    expect(await shown()).toEqual(['on-light']);
    await page.getByRole('switch').first().click();
    await page.locator('html.dark').waitFor();
    expect(await shown()).toEqual(['on-dark']);
    await page.close();
  });
});

/** Anchors, of which those that were there before get a number. */
function numbered(anchors: readonly string[]): string[] {
  return anchors.map((anchor, index) => {
    const before = anchors.slice(0, index).filter((one) => one === anchor).length;
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
}

/** Links of the page itself, without those of navigation. */
function linksOf(text: string): string[] {
  const [, main = ''] = text.split('<main');
  return [...main.split('</main>', 1)[0]!.matchAll(/ href="([^"]+)"/g)].map(([, target = '']) =>
    target.replaceAll('&amp;', '&'),
  );
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/** A server of the files below a folder. */
function serve(folder: string): Server {
  return createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://site').pathname);
    const file = join(folder, path === '/' ? 'index.html' : path);
    if (!existsSync(file)) response.writeHead(404).end();
    else {
      response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream');
      response.end(readFileSync(file));
    }
  }).listen(0, '127.0.0.1');
}
