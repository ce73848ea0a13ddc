import type { Browser, BrowserContext, Page } from 'playwright-core';
import { canBrowse, launchChromium } from './support/chromium.js';
import { type HttpsSite, openHttpsSite, openPlainSite } from './support/https-site.js';

/** Routes that keep something, or sign somebody in. */
const FORMS = ['cart', 'fail', 'login'] as const;

(canBrowse ? describe : describe.skip)('in Chromium, a page of another site', () => {
  let browser: Browser;
  const windows: BrowserContext[] = [];
  const sites: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    browser = await launchChromium({ args: ['--host-resolver-rules=MAP *.test 127.0.0.1'] });
  });
  afterEach(async () => {
    for (const window of windows.splice(0)) await window.close();
    for (const site of sites.splice(0)) await site.close();
  });
  afterAll(() => browser?.close());

  async function opened<Site extends { url: string; close(): Promise<void> }>(opening: Promise<Site>) {
    const site = await opening;
    sites.push(site);
    const window = await browser.newContext({ ignoreHTTPSErrors: true, baseURL: site.url });
    windows.push(window);
    return { site, window, tab: await window.newPage() };
  }
  async function signIn(tab: Page, name = 'ada'): Promise<void> {
    await tab.goto('/');
    await tab.locator('input').fill(name);
    await tab.getByRole('button', { name: 'Sign in' }).click();
    await tab.locator('#secret').waitFor();
  }
  /** Sends a form of the page that the tab shows, and resolves to what came of it. */
  async function submit(tab: Page, action: string): Promise<{ status: number; text: string }> {
    const form = `<form method="post" action="${action}"><input name="name" value="mallory"></form>`;
    const [response] = await Promise.all([
      tab.waitForResponse((one) => one.request().method() === 'POST'),
      tab.evaluate(`document.body.innerHTML = ${JSON.stringify(form)}; document.forms[0].submit()`),
    ]);
    await tab.waitForLoadState();
    return { status: response.status(), text: await tab.locator('body').innerText() };
  }
  /** Follows a link of the page that the tab shows. */
  async function follow(tab: Page, href: string): Promise<void> {
    await tab.evaluate(`document.body.innerHTML = ${JSON.stringify(`<a href="${href}">There</a>`)}`);
    await tab.getByText('There').click();
    await tab.locator('#who').waitFor();
  }
  const text = (tab: Page, id: string): Promise<string> => tab.locator(`#${id}`).innerText();
  const whoIs = async (tab: Page): Promise<string> => {
    await tab.goto('/');
    return text(tab, 'who');
  };
  const tokenOf = async (window: BrowserContext): Promise<string | undefined> =>
    (await window.cookies()).find(({ name }) => name.endsWith('sid'))?.value;
  const told = ({ events }: HttpsSite): string[] => events.map(({ name }) => name);

  describe.each(['rivalUrl', 'evilUrl'] as const)('(%s)', (neighbour) => {
    it.each(FORMS)('leaves a visitor signed in, with the same cookie, by a form to /%s', async (form) => {
      const { site, window, tab } = await opened(openHttpsSite());
      await signIn(tab);
      const [token, before] = [await tokenOf(window), told(site)];
      await tab.goto(site[neighbour]);
      const { status, text: body } = await submit(tab, `${site.url}/${form}`);
      expect([status, body]).toEqual([403, expect.stringContaining('cross_site_request')]);
      expect([await tokenOf(window), await whoIs(tab)]).toEqual([token, 'ada']);
      expect(told(site)).toEqual(before);
    });

    it.each(FORMS)('begins no session for who has none, by a form to /%s', async (form) => {
      const { site, window, tab } = await opened(openHttpsSite());
      await tab.goto(site[neighbour]);
      expect((await submit(tab, `${site.url}/${form}`)).status).toBe(403);
      expect([await window.cookies(), told(site)]).toEqual([[], []]);
    });
  });

  it('would sign a visitor out without the check', async () => {
    const { site, tab } = await opened(openHttpsSite({ csrf: false }));
    await signIn(tab);
    await tab.goto(site.rivalUrl);
    expect((await submit(tab, `${site.url}/cart`)).status).toBe(201);
    expect(await whoIs(tab)).toBe('nobody');
  });

  describe('that leads to the app by a link, with a Strict cookie,', () => {
    const openStrict = () => opened(openHttpsSite({ cookie: { sameSite: 'strict' } }));

    it('leaves a visitor signed in, with the same cookie', async () => {
      const { site, window, tab } = await openStrict();
      await signIn(tab);
      const [token, before] = [await tokenOf(window), told(site)];
      await tab.goto(site.rivalUrl);
      await follow(tab, `${site.url}/landing`);
      expect([await text(tab, 'who'), await text(tab, 'cookie')]).toEqual(['nobody', '']);
      expect([await tokenOf(window), await whoIs(tab)]).toEqual([token, 'ada']);
      expect(told(site)).toEqual(before);
    });

    it('would sign a visitor out without the check', async () => {
      const { site, tab } = await opened(openHttpsSite({ cookie: { sameSite: 'strict' }, csrf: false }));
      await signIn(tab);
      await tab.goto(site.rivalUrl);
      await follow(tab, `${site.url}/landing`);
      expect(await whoIs(tab)).toBe('nobody');
    });

    it('is none on a sibling host: the cookie comes along', async () => {
      const { site, tab } = await openStrict();
      await signIn(tab);
      await tab.goto(site.evilUrl);
      await follow(tab, `${site.url}/landing`);
      expect(await text(tab, 'who')).toBe('ada');
    });
  });

  describe('over plain http', () => {
    it('is taken for the page of the app that hides its origin, and told which header does', async () => {
      const { tab } = await opened(openPlainSite('no-referrer'));
      await tab.goto('/');
      const { status, text: body } = await submit(tab, '/login');
      expect([status, body]).toEqual([403, expect.stringContaining('Referrer-Policy')]);
      expect(body).not.toContain('csrf');
    });

    it('is told from the page of the app under another policy', async () => {
      const { tab } = await opened(openPlainSite('same-origin'));
      await tab.goto('/');
      expect((await submit(tab, '/login')).status).toBe(303);
      expect(await whoIs(tab)).toBe('mallory');
    });
  });
});
