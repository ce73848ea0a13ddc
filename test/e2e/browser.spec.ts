import type { Browser, BrowserContext, Page } from 'playwright-core';
import { canBrowse, launchChromium } from './support/chromium.js';
import { EVIL, HOST, type HttpsSite, openHttpsSite } from './support/https-site.js';

(canBrowse ? describe : describe.skip)('in Chromium, over https with a self-signed certificate', () => {
  let browser: Browser;
  let site: HttpsSite;
  const windows: BrowserContext[] = [];

  beforeAll(async () => {
    browser = await launchChromium({
      args: ['--host-resolver-rules=MAP *.test 127.0.0.1'],
      // As for everybody: Playwright turns it off.
      ignoreDefaultArgs: ['--disable-back-forward-cache'],
    });
    site = await openHttpsSite({ rotation: { every: '1h', grace: '30s' } });
  });
  afterEach(async () => {
    site.toss();
    for (const window of windows.splice(0)) await window.close();
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function openWindow(): Promise<BrowserContext> {
    const window = await browser.newContext({ ignoreHTTPSErrors: true, baseURL: site.url });
    windows.push(window);
    return window;
  }
  async function signIn(window: BrowserContext, name: string): Promise<Page> {
    const tab = await window.newPage();
    await tab.goto('/');
    await tab.locator('input').fill(name);
    await tab.getByRole('button', { name: 'Sign in' }).click();
    await tab.locator('#secret').waitFor();
    return tab;
  }
  const text = (tab: Page, id: string): Promise<string> => tab.locator(`#${id}`).innerText();
  const whoIs = async (tab: Page): Promise<string> => {
    await tab.goto('/');
    return text(tab, 'who');
  };
  const tokenOf = async (window: BrowserContext): Promise<string | undefined> =>
    (await window.cookies(site.url)).find(({ name }) => name === '__Host-sid')?.value;

  describe('the `__Host-` cookie', () => {
    it('is taken, with its attributes, and out of reach for scripts', async () => {
      const window = await openWindow();
      const tab = await signIn(window, 'ada');
      expect(await window.cookies()).toEqual([
        expect.objectContaining({
          name: '__Host-sid',
          domain: HOST,
          path: '/',
          httpOnly: true,
          secure: true,
          sameSite: 'Lax',
        }),
      ]);
      expect(await tab.evaluate('document.cookie')).toBe('');
    });

    it('is not sent to a host below', async () => {
      const window = await openWindow();
      const tab = await signIn(window, 'ada');
      await tab.goto(site.evilUrl);
      expect(await text(tab, 'cookie')).toBe('');
    });
  });

  describe('two tabs', () => {
    it('stay signed in through a rotation, and so does all that they fetch meanwhile', async () => {
      const window = await openWindow();
      const one = await signIn(window, 'ada');
      const other = await window.newPage();
      await other.goto('/account');
      const before = await tokenOf(window);
      const told = site.events.length;

      site.clock.advance('1h');
      const fetches = `Promise.all(Array.from({ length: 8 }, () => fetch('/devices').then(({ status }) => status)))`;
      const [statuses] = await Promise.all([one.evaluate<number[]>(fetches), other.reload()]);
      expect(statuses).toEqual(Array.from({ length: 8 }, () => 200));
      expect(await text(other, 'who')).toBe('ada');
      expect(await tokenOf(window)).not.toBe(before);

      site.clock.advance('5m');
      expect([await whoIs(one), await whoIs(other)]).toEqual(['ada', 'ada']);
      expect(site.events.slice(told).map(({ name }) => name)).toEqual(['rotated']);
    });
  });

  describe('the back button after signing out', () => {
    const leaveAndGoBack = async (path: string): Promise<Page> => {
      const tab = await signIn(await openWindow(), 'ada');
      await tab.goto(path);
      expect(await text(tab, 'secret')).toBe('The secret of ada');
      await tab.getByRole('button', { name: 'Sign out' }).click();
      await tab.waitForURL('/');
      // A page that comes out of the browser's memory as it was does not load again.
      await tab.goBack({ waitUntil: 'commit' });
      expect(new URL(tab.url()).pathname).toBe(path);
      return tab;
    };

    it('shows nothing private', async () => {
      const tab = await leaveAndGoBack('/account');
      await tab.getByText('Sign in first').waitFor();
      expect(await tab.locator('#secret').count()).toBe(0);
    });

    it('would show it if the app had asked browsers to keep it', async () => {
      const tab = await leaveAndGoBack('/cached');
      expect(await text(tab, 'secret')).toBe('The secret of ada');
    });
  });

  describe('cookies that a host below tosses', () => {
    /** What an attacker can do there: every way to set a cookie that could reach the site. */
    async function tossAt(window: BrowserContext, token: string): Promise<void> {
      const scopes = [`Domain=${HOST}; Path=/`, `Domain=${HOST}; Path=/account`, 'Path=/'];
      const cookies = scopes.map((scope) => `__Host-sid=${token}; ${scope}; Secure`);
      site.toss(...cookies, `__host-sid=${token}; Domain=${HOST}; Path=/; Secure`);
      const tab = await window.newPage();
      await tab.goto(site.evilUrl);
      for (const cookie of cookies) await tab.evaluate(`document.cookie = ${JSON.stringify(cookie)}`);
      await tab.close();
    }

    it('do not put a visitor into the session of the attacker', async () => {
      const attacker = await openWindow();
      await signIn(attacker, 'mallory');
      const token = (await tokenOf(attacker)) ?? '';
      const victim = await openWindow();
      await tossAt(victim, token);
      const tab = await victim.newPage();
      expect(await whoIs(tab)).toBe('nobody');
      expect(await text(tab, 'cookie')).not.toContain('__Host-sid');
      await signIn(victim, 'ada');
      await tossAt(victim, token);
      expect(await whoIs(tab)).toBe('ada');
      await tab.goto('/account');
      expect(await text(tab, 'who')).toBe('ada');
    });

    it('do not sign anybody out', async () => {
      const window = await openWindow();
      const tab = await signIn(window, 'ada');
      await tossAt(window, 'junk');
      expect(await whoIs(tab)).toBe('ada');
    });

    it('would arrive under a name without the prefix', async () => {
      const window = await openWindow();
      site.toss(`sid=tossed; Domain=${HOST}; Path=/; Secure`);
      const tab = await window.newPage();
      await tab.goto(site.evilUrl);
      await tab.goto('/');
      expect(await text(tab, 'cookie')).toBe('sid=tossed');
      expect(EVIL.endsWith(`.${HOST}`)).toBe(true);
    });
  });

  describe('a private window', () => {
    it('knows nobody, is a device of its own, and leaves nothing behind', async () => {
      const normal = await openWindow();
      const tab = await signIn(normal, 'grace');
      const hidden = await openWindow();
      const secret = await hidden.newPage();
      expect(await whoIs(secret)).toBe('nobody');
      await signIn(hidden, 'grace');
      expect(await site.store.listForUser('grace')).toHaveLength(2);

      await hidden.close();
      const next = await openWindow();
      expect(await whoIs(await next.newPage())).toBe('nobody');
      expect(await whoIs(tab)).toBe('grace');
    });
  });
});
