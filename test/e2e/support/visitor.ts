import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { CHROME_ON_MAC, SAFARI_ON_IPHONE } from './chromium.js';

/** Somebody with a browser, and what they do on the demo's pages. */
export class Visitor {
  /** What the browser refused to run or load because of the page's own policy, and scripts that failed. */
  readonly problems: string[] = [];

  private constructor(readonly page: Page) {
    page.on('pageerror', (error) => this.problems.push(error.message));
    page.on('console', (line) => {
      if (line.text().includes('Content Security Policy')) this.problems.push(line.text());
    });
  }

  static async with(browser: Browser, options: BrowserContextOptions): Promise<Visitor> {
    const context = await browser.newContext(options);
    return new Visitor(await context.newPage());
  }

  async signIn(name: string, { remember = false } = {}): Promise<void> {
    await this.page.goto('/sign-in');
    await this.page.getByLabel('Your name').fill(name);
    await this.page.getByLabel('Remember me').setChecked(remember);
    await this.press('Sign in');
  }

  /** Presses the button with that name, as it is read out. */
  async press(button: string): Promise<void> {
    await this.follow(this.page.getByRole('button', { name: button, exact: true }));
  }

  /** Clicks on what leads to a page, and waits for that page. */
  async follow(target: Locator): Promise<void> {
    await Promise.all([this.page.waitForEvent('load'), target.click()]);
  }

  /** Presses Tab until the focus is there, visibly; how many times. */
  async tabTo(target: Locator): Promise<number> {
    for (let presses = 1; presses <= 50; presses++) {
      await this.page.keyboard.press('Tab');
      const outline = await target.evaluate((element) => {
        const { activeElement, defaultView } = element.ownerDocument;
        return activeElement === element ? defaultView?.getComputedStyle(element).outlineStyle : null;
      });
      if (outline !== null) return outline === 'none' ? Number.NaN : presses;
    }
    throw new Error('The Tab key does not lead there');
  }

  /** Goes there, and says on which path that ended. */
  async visit(path: string): Promise<string> {
    await this.page.goto(path);
    return this.path;
  }

  get path(): string {
    const { pathname, search } = new URL(this.page.url());
    return pathname + search;
  }

  /** The messages on this page. */
  messages(): Promise<string[]> {
    return this.page.getByRole('status').allInnerTexts();
  }

  /** Waits until this page has ended by itself, and says which words are in its place. */
  async ending(): Promise<string> {
    const words = this.page.getByRole('alert');
    await words.waitFor();
    return words.innerText();
  }

  /** How many items the header says are in the cart. */
  async cartCount(): Promise<string> {
    const link = this.page.getByRole('navigation').getByRole('link', { name: 'Cart' });
    return oneLine(await link.innerText());
  }

  /** A line of text for each device on this page. */
  async devices(): Promise<string[]> {
    const rows = await this.page.getByRole('table').getByRole('row').allInnerTexts();
    return rows.slice(1).map(oneLine);
  }

  /** A line of text for each item in the part of the page with that heading or label. */
  async itemsOf(region: string): Promise<string[]> {
    const items = this.page.getByRole('region', { name: region }).getByRole('listitem');
    return (await items.allInnerTexts()).map(oneLine);
  }

  /** A line of text for each column or member that the part of the page with that heading shows, by its name. */
  async membersOf(region: string): Promise<Record<string, string>> {
    const part = this.page.getByRole('region', { name: region });
    const [names, values] = [
      await part.getByRole('term').allInnerTexts(),
      await part.getByRole('definition').allInnerTexts(),
    ];
    return Object.fromEntries(names.map((name, index) => [oneLine(name), oneLine(values[index] ?? '')]));
  }

  /** How far the page is wider than the window, in pixels. */
  overflow(): Promise<number> {
    return this.page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  }

  async sessionCookie() {
    const cookies = await this.page.context().cookies();
    return cookies.find(({ name }) => name.endsWith('sid'));
  }

  leave(): Promise<void> {
    return this.page.context().close();
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

export const LAPTOP: BrowserContextOptions = {
  userAgent: CHROME_ON_MAC,
  extraHTTPHeaders: { 'X-Forwarded-For': '203.0.113.7' },
};
export const PHONE: BrowserContextOptions = {
  userAgent: SAFARI_ON_IPHONE,
  extraHTTPHeaders: { 'X-Forwarded-For': '198.51.100.42' },
  viewport: { width: 320, height: 640 },
  isMobile: true,
  hasTouch: true,
};
