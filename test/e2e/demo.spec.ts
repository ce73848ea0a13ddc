import { readdirSync, readFileSync, statSync } from 'node:fs';
import { canBrowse } from './support/chromium.js';
import { DemoCopy } from './support/demo-copy.js';
import type { RunningDemo } from './support/running-demo.js';
import { useVisitors } from './support/use-visitors.js';
import { LAPTOP, PHONE } from './support/visitor.js';

// A page takes its time on a machine that is busy with the other specs.

const copy = new DemoCopy();
let demo: RunningDemo;

beforeAll(async () => {
  demo = await copy.npmStart();
});

afterAll(() => copy.remove());

/** Starts it again on the same port, which is where the browsers are. */
async function restart(meanwhile: () => void = () => undefined): Promise<void> {
  await demo.stop();
  meanwhile();
  demo = await copy.start(demo.port);
}

describe('npm start', () => {
  it('builds the demo, runs it, and prints one line of its own', () => {
    const lines = demo.output.split('\n').filter((line) => line !== '' && !/^(>|npm )/.test(line));
    expect(lines).toEqual([`The tea shop is open: ${demo.url} (Ctrl+C closes it)`]);
  });

  it('serves pages, and a health report for machines', async () => {
    expect((await fetch(demo.url)).headers.get('content-security-policy')).toContain("default-src 'none'");
    const health = await fetch(`${demo.url}/health`, { headers: { Accept: 'text/html' } });
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({ details: { sessions: { status: 'up' } } });
  });

  it('makes a key for its owner alone, and keeps it', async () => {
    const key = readFileSync(copy.data('session.key'), 'utf8');
    expect(Buffer.from(key, 'base64url')).toHaveLength(32);
    expect((statSync(copy.data('session.key')).mode & 0o777).toString(8)).toBe('600');
    await restart();
    expect(readFileSync(copy.data('session.key'), 'utf8')).toBe(key);
    expect(readdirSync(copy.data())).not.toContainEqual(expect.stringMatching(/^session\.key\./));
  });

  it('refuses a form that another site sends', async () => {
    const reply = await fetch(`${demo.url}/sign-in`, {
      method: 'POST',
      headers: { Accept: 'text/html', 'Sec-Fetch-Site': 'cross-site' },
      body: new URLSearchParams({ name: 'Mallory' }),
    });
    expect(reply.status).toBe(403);
    expect(reply.headers.getSetCookie()).toEqual([]);
    expect(await reply.text()).toContain('That did not come from here');
  });

  it('writes an IPv4 address as people know it, in the list of devices and in the activity', async () => {
    const reply = await fetch(`${demo.url}/sign-in`, {
      method: 'POST',
      body: new URLSearchParams({ name: 'Hedy' }),
      redirect: 'manual',
    });
    const cookie = reply.headers.getSetCookie().map((line) => line.split(';', 1)[0]);
    const page = await fetch(`${demo.url}/devices`, { headers: { Cookie: cookie.join('; ') } });
    const text = await page.text();
    expect(text.match(/127\.0\.0\.1/g)).toHaveLength(2);
    expect(text).not.toContain('::ffff:');
  });

  it.each(['https://example.com/', '//example.com', '/\\example.com', '/\t/example.com'])(
    'never leads to another site after sign-in: %j',
    async (returnTo) => {
      const reply = await fetch(`${demo.url}/sign-in`, {
        method: 'POST',
        body: new URLSearchParams({ name: 'Mallory', returnTo }),
        redirect: 'manual',
      });
      expect(reply.status).toBe(303);
      expect(reply.headers.get('location')).toBe('/');
    },
  );
});

(canBrowse ? describe : describe.skip)('the demo in a browser', () => {
  const visitor = useVisitors(() => demo.url);
  const twoDevicesOf = async (name: string) => {
    const [laptop, phone] = [await visitor(LAPTOP), await visitor(PHONE)];
    await phone.signIn(name);
    await laptop.signIn(name);
    await laptop.visit('/devices');
    return { laptop, phone };
  };

  it('lists both devices of somebody who signed in on two', async () => {
    const { laptop } = await twoDevicesOf('Ada');
    expect(await laptop.devices()).toEqual([
      'Chrome on macOS This device 203.0.113.7 just now just now in 24 hours Log out Chrome on macOS',
      'Safari on iOS 198.51.100.42 just now just now in 24 hours Log out Safari on iOS',
    ]);
  });

  it('logs one device out from another: its next click lands on the sign-in page', async () => {
    const { laptop, phone } = await twoDevicesOf('Grace');
    await laptop.press('Log out Safari on iOS');
    expect(await laptop.messages()).toEqual(['The device is logged out.']);
    expect(await laptop.devices()).toHaveLength(1);
    await phone.follow(phone.page.getByRole('link', { name: 'Your devices' }));
    expect(phone.path).toBe('/sign-in?returnTo=%2Fdevices');
    expect(await phone.messages()).toEqual(['Please sign in to go on.']);
    await phone.page.getByLabel('Your name').fill('Grace');
    await phone.press('Sign in');
    expect(phone.path).toBe('/devices');
    expect(await phone.devices()).toHaveLength(2);
  });

  it('asks who somebody is before it logs a device out, when they signed in a while ago', async () => {
    const { laptop, phone } = await twoDevicesOf('Lise');
    await copy.ageSignIns(6);
    await laptop.press('Log out Safari on iOS');
    expect(laptop.path).toMatch(/^\/confirm\?action=%2Fdevices%2F\w{26}%2Flog-out$/);
    await laptop.page.getByRole('heading', { name: 'Confirm that it is you' }).waitFor();
    expect(await phone.visit('/devices')).toBe('/devices');

    await laptop.page.getByLabel('Your name').fill('Otto');
    await laptop.press('Confirm and log out');
    expect(await laptop.messages()).toEqual(['That is not the name you signed in with.']);
    await laptop.page.getByLabel('Your name').fill('Lise');
    await laptop.press('Confirm and log out');
    expect(laptop.path).toBe('/devices');
    expect(await laptop.messages()).toEqual(['The device is logged out.']);
    expect(await laptop.devices()).toEqual([expect.stringContaining('This device')]);
    expect(await phone.visit('/devices')).toMatch(/^\/sign-in/);
  });

  it('asks so with the keyboard alone and without JavaScript', async () => {
    const [laptop, phone] = [await visitor({ ...LAPTOP, javaScriptEnabled: false }), await visitor(PHONE)];
    await phone.signIn('Emmy');
    await laptop.signIn('Emmy');
    await laptop.visit('/devices');
    await copy.ageSignIns(6);
    await laptop.press('Log out everywhere');
    const { page } = laptop;
    await page.getByRole('heading', { name: 'Confirm that it is you' }).waitFor();
    // The field has the focus already.
    await page.keyboard.type('Emmy');
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    expect(laptop.path).toBe('/');
    expect(await laptop.messages()).toEqual(['You are logged out everywhere.']);
    expect(await phone.visit('/devices')).toMatch(/^\/sign-in/);
  });

  it('goes on with nothing but its own actions after that', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.signIn('Sofja');
    await laptop.visit('/confirm?action=//example.com/devices/log-out-others');
    await laptop.page.getByLabel('Your name').fill('Sofja');
    await laptop.press('Confirm');
    expect(laptop.path).toBe('/devices');
  });

  it('logs out the other devices, or all of them', async () => {
    const { laptop, phone } = await twoDevicesOf('Edsger');
    await laptop.press('Log out the other devices');
    expect(await laptop.messages()).toEqual(['1 other device is logged out.']);
    expect(await phone.visit('/devices')).toMatch(/^\/sign-in/);
    await phone.signIn('Edsger');
    await laptop.press('Log out everywhere');
    expect(await laptop.messages()).toEqual(['You are logged out everywhere.']);
    expect(await laptop.visit('/devices')).toMatch(/^\/sign-in/);
    expect(await phone.visit('/devices')).toMatch(/^\/sign-in/);
  });

  it('keeps the cart through sign-in, and orders it once', async () => {
    const laptop = await visitor(LAPTOP);
    const { page } = laptop;
    await laptop.visit('/');
    await laptop.press('Add Sencha to cart');
    await laptop.press('Add Sencha to cart');
    await laptop.press('Add Assam to cart');
    await laptop.press('Remove Assam');
    await laptop.press('One more Sencha');
    expect(await laptop.cartCount()).toBe('Cart 3 items');
    await laptop.follow(page.getByRole('link', { name: 'Sign in to order' }));
    await page.getByLabel('Your name').fill('Barbara');
    await laptop.press('Sign in');
    expect(await laptop.cartCount()).toBe('Cart 3 items');
    await laptop.press('Place order');
    expect(await laptop.messages()).toEqual([expect.stringMatching(/^Thank you, Barbara. Order \d+ is on/)]);
    expect(await laptop.cartCount()).toBe('Cart 0 items');
    await expect(page.getByText('3 × Sencha').count()).resolves.toBe(1);
  });

  it('shows a message once', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.visit('/');
    await laptop.press('Add Garden Mint to cart');
    expect(await laptop.messages()).toEqual(['Garden Mint is in your cart.']);
    await laptop.visit('/');
    expect(await laptop.messages()).toEqual([]);
  });

  it('remembers a device for 30 days if asked to, and for the browser session if not', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.signIn('Alan', { remember: true });
    const days = ((await laptop.sessionCookie())?.expires ?? 0) - Date.now() / 1000;
    expect(Math.round(days / 86_400)).toBe(30);
    await laptop.signIn('Alan');
    expect((await laptop.sessionCookie())?.expires).toBe(-1);
  });

  it('keeps everybody signed in through a restart', async () => {
    const { laptop, phone } = await twoDevicesOf('Katherine');
    await restart();
    for (const device of [laptop, phone]) {
      expect(await device.visit('/devices')).toBe('/devices');
      expect(await device.devices()).toHaveLength(2);
    }
  });

  it('says that it will be right back while sessions are out of reach, and is', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.signIn('Radia');
    let bringBack = (): void => undefined;
    await restart(() => {
      bringBack = copy.hideSessions();
    });

    await laptop.visit('/devices');
    await laptop.page.getByRole('heading', { name: 'We will be right back' }).waitFor();
    expect((await fetch(demo.url)).status).toBe(200);
    const health = await fetch(`${demo.url}/health`, { headers: { Accept: 'text/html' } });
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({ error: { sessions: { status: 'down' } } });

    bringBack();
    await laptop.follow(laptop.page.getByRole('link', { name: 'Try again' }));
    expect(await laptop.devices()).toEqual([expect.stringContaining('This device')]);
  });

  it('signs nobody in by a form on a page of another site', async () => {
    const laptop = await visitor(LAPTOP);
    const form = `<form method="post" action="${demo.url}/sign-in"><input name="name" value="Mallory"></form>`;
    await laptop.page.setContent(
      `${form}<button form="f">Win a prize</button>`.replace('<form', '<form id="f"'),
    );
    await laptop.press('Win a prize');
    await laptop.page.getByRole('heading', { name: 'That did not come from here' }).waitFor();
    expect(await laptop.sessionCookie()).toBeUndefined();
    await laptop.visit('/');
    expect(await laptop.page.getByRole('link', { name: 'Sign in', exact: true }).count()).toBe(1);
  });

  it('shows what somebody typed as text', async () => {
    const name = `<b class="x">Bobby</b>'"&amp;`;
    const laptop = await visitor(LAPTOP);
    await laptop.signIn(name);
    expect(await laptop.messages()).toEqual([`Welcome, ${name}.`]);
    await laptop.visit('/devices');
    expect(await laptop.page.locator('b').count()).toBe(0);
  });

  it('works without JavaScript', async () => {
    const laptop = await visitor({ ...LAPTOP, javaScriptEnabled: false });
    await laptop.visit('/');
    await laptop.press('Add Rooibos to cart');
    await laptop.signIn('Dorothy');
    expect(await laptop.messages()).toEqual(['Welcome, Dorothy.']);
    await laptop.visit('/devices');
    await laptop.press('Log out Chrome on macOS');
    expect(await laptop.messages()).toEqual(['You are logged out on this device.']);
  });

  it('can be used with the keyboard alone', async () => {
    const laptop = await visitor(LAPTOP);
    const { page } = laptop;
    await laptop.visit('/');
    expect(await laptop.tabTo(page.getByText('Skip to content'))).toBe(1);
    await laptop.tabTo(page.getByRole('link', { name: 'Sign in', exact: true }));
    await page.keyboard.press('Enter');
    await laptop.tabTo(page.getByLabel('Your name'));
    await page.keyboard.type('Margaret');
    await laptop.tabTo(page.getByLabel('Remember me'));
    await page.keyboard.press('Space');
    await laptop.tabTo(page.getByRole('button', { name: 'Sign in' }));
    await page.keyboard.press('Enter');
    await page.getByText('Welcome, Margaret.').waitFor();
  });

  it('fits a phone', async () => {
    const phone = await visitor(PHONE);
    await phone.visit('/');
    await phone.press('Add Mountain Oolong to cart');
    expect(await phone.overflow()).toBe(0);
    await phone.signIn('A name of forty characters is a long one');
    for (const path of ['/', '/devices', '/sign-in', '/confirm', '/there-is-no-such-page']) {
      await phone.visit(path);
      expect({ path, overflow: await phone.overflow() }).toEqual({ path, overflow: 0 });
    }
  });

  it('stores nothing that could be read from the file but ids and times', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.signIn('Hypatia');
    await laptop.visit('/devices');
    expect(await laptop.devices()).toEqual([expect.stringContaining('203.0.113.7')]);
    const { request } = laptop.page.context();
    await request.post('/cart/add', { form: { product: 'rooibos' }, maxRedirects: 0 });
    const { value: token = '' } = (await laptop.sessionCookie()) ?? {};

    const stored = copy.storedSessions();
    expect(readdirSync(copy.data())).toContain('app.sessions.sqlite-wal');
    expect(stored.includes('Hypatia')).toBe(true);
    const secrets = [token, token.slice(26), 'rooibos', 'is in your cart', '203.0.113.7', 'Mozilla', 'macOS'];
    expect(secrets.filter((text) => stored.includes(text))).toEqual([]);
  });
});
