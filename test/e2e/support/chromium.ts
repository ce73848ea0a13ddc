import { existsSync } from 'node:fs';
import { type Browser, chromium, type LaunchOptions } from 'playwright-core';

const PATH = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';

/** Whether browser specs can run here. Where CI runs, they have to. */
export const canBrowse = existsSync(PATH) || process.env.CI === 'true';

if (!canBrowse) {
  process.stderr.write(
    `Browser specs are skipped: there is no Chromium at ${PATH}. Install it, or set CHROMIUM_PATH\n`,
  );
}

/** @param options arguments beside those that all browser specs need, and Playwright's own to leave out */
export function launchChromium({
  args = [],
  ignoreDefaultArgs,
}: Pick<LaunchOptions, 'args' | 'ignoreDefaultArgs'> = {}): Promise<Browser> {
  return chromium.launch({
    executablePath: PATH,
    ignoreDefaultArgs,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...args,
    ],
  });
}

export const CHROME_ON_MAC =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36';
export const SAFARI_ON_IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1';
