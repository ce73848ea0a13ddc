// A real browser uses an example that runs, on the ports that the environment says. Where there is no Chromium, it says
// so; with `CI=true` it fails instead.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const PATH = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const { PORT, FRONT_END_PORT, PROVIDER_PORT } = process.env;

const shows = (page, text) => page.getByText(text).waitFor();

/** What somebody does on the pages of an example, by its folder. Those without pages are not here. */
const VISITS = {
  'spa-and-cors': async (page) => {
    await page.goto(`http://localhost:${FRONT_END_PORT}`);
    await shows(page, 'Nobody is signed in.');
    await page.getByLabel('Your name').fill('grace');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await shows(page, 'Signed in as grace, clicks: 0.');
    await page.getByRole('button', { name: 'Count a click' }).click();
    await shows(page, 'Signed in as grace, clicks: 1.');
    await page.reload();
    await shows(page, 'Signed in as grace, clicks: 1.');
    await page.getByRole('button', { name: 'Log out' }).click();
    await shows(page, 'Nobody is signed in.');
  },

  'passport-and-oauth': async (page) => {
    const app = `http://localhost:${PORT}`;
    const password = 'correct horse battery staple';
    const enter = async (button) => {
      await page.getByLabel('Name').fill('grace');
      await page.getByLabel('Password').fill(password);
      await page.getByRole('button', { name: button }).click();
    };
    await page.goto(app);
    await enter('Register');
    await page.waitForURL(`${app}/`);
    await enter('Sign in');
    await shows(page, 'Signed in as grace.');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('link', { name: 'Sign in with the provider' }).click();
    assert.equal(new URL(page.url()).port, PROVIDER_PORT);
    await page.getByLabel('Who are you?').fill('hopper');
    await page.getByRole('button', { name: 'Let the app know' }).click();
    await shows(page, 'Signed in as hopper.');
    assert.equal(page.url(), `${app}/`);
  },
};

const [example] = process.argv.slice(2);
const visit = VISITS[example];
if (visit && !existsSync(PATH)) {
  const message = `No browser has used ${example}: there is no Chromium at ${PATH}. Install it, or set CHROMIUM_PATH`;
  if (process.env.CI) throw new Error(message);
  console.log(message);
} else if (visit) {
  const browser = await chromium.launch({ executablePath: PATH, args: ['--no-sandbox'] });
  try {
    await visit(await browser.newPage());
    console.log(`A browser has used ${example}.`);
  } finally {
    await browser.close();
  }
}
