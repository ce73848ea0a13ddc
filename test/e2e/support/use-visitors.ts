import type { Browser, BrowserContextOptions } from 'playwright-core';
import { launchChromium } from './chromium.js';
import { Visitor } from './visitor.js';

/** For the tests of a `describe`: brings visitors to the site, who leave when the test is over. */
export function useVisitors(url: () => string): (options: BrowserContextOptions) => Promise<Visitor> {
  let browser: Browser | undefined;
  const present: Visitor[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterEach(async () => {
    const left = present.splice(0);
    await Promise.all(left.map((visitor) => visitor.leave()));
    expect(left.flatMap(({ problems }) => problems)).toEqual([]);
  });
  afterAll(() => browser?.close());

  return async (options) => {
    if (!browser) throw new Error('The browser has not been launched');
    const visitor = await Visitor.with(browser, { ...options, baseURL: url() });
    present.push(visitor);
    return visitor;
  };
}
