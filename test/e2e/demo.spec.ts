import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { BrowserContextOptions, Locator } from 'playwright-core';
import { onEachDatabase, openDatabase, SERVER_KINDS, type TestDatabase } from '../support/databases.js';
import { canBrowse } from './support/chromium.js';
import { databaseUrl } from './support/database-url.js';
import { DemoCopy } from './support/demo-copy.js';
import { brokenWords, faintTexts, unnamedParts } from './support/page-faults.js';
import type { RunningDemo } from './support/running-demo.js';
import { useVisitors } from './support/use-visitors.js';
import { LAPTOP, PHONE, type Visitor } from './support/visitor.js';

// A page takes its time on a machine that is busy with the other specs.

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const copy = new DemoCopy();
let demo: RunningDemo;

beforeAll(async () => {
  demo = await copy.npmStart();
});

afterAll(() => copy.remove());

/** Signs in as a program does; gives the cookie. */
async function signInWith(form: Readonly<Record<string, string>>, { url } = demo): Promise<string> {
  const body = new URLSearchParams(form);
  const reply = await fetch(`${url}/sign-in`, { method: 'POST', body, redirect: 'manual' });
  return reply.headers
    .getSetCookie()
    .map((line) => line.split(';', 1)[0])
    .join('; ');
}

/** Starts it again on the same port, which is where the browsers are. */
async function restart(meanwhile: () => void = () => undefined): Promise<void> {
  await demo.stop();
  meanwhile();
  demo = await copy.start(demo.port);
}

describe('npm start', () => {
  it('builds the demo, runs it, and prints one line of its own', () => {
    const lines = demo.output.split('\n').filter((line) => line !== '' && !/^(>|npm )/.test(line));
    expect(lines).toEqual([`The demo is open: ${demo.url} (Ctrl+C closes it)`]);
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

  it('says what it expects of the environment, without a password that stands in it', async () => {
    await expect(copy.start(0, { STORAGE: 'redis' })).rejects.toThrow('STORAGE: expected sqlite');
    await expect(copy.start(0, { HTTPS: 'yes' })).rejects.toThrow('HTTPS: expected 1 or 0, got yes');
    const wrong = copy.start(0, { DATABASE_URL: 'oracle://scott:tiger@db/app' });
    await expect(wrong).rejects.toThrow(/^(?![^]*tiger)[^]*DATABASE_URL: expected postgres:/);
  });

  it('writes an IPv4 address as people know it, in the list of devices and in the activity', async () => {
    const cookie = await signInWith({ name: 'Hedy' });
    const page = await fetch(`${demo.url}/devices`, { headers: { Cookie: cookie } });
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
  const withoutScripts = async (device: BrowserContextOptions) => {
    const somebody = await visitor({ ...device, javaScriptEnabled: false });
    return { page: somebody.page, visit: (path: string) => somebody.visit(path) };
  };

  it('lists both devices of somebody who signed in on two', async () => {
    const { laptop } = await twoDevicesOf('Ada');
    expect(await laptop.devices()).toEqual([
      'Chrome on macOS This device 203.0.113.7 just now just now in 24 hours Sign out Chrome on macOS',
      'Safari on iOS 198.51.100.42 just now just now in 24 hours Sign out Safari on iOS',
    ]);
  });

  it('lists this device first, however recently another one was active', async () => {
    const [laptop, phone] = [await visitor(LAPTOP), await visitor(PHONE)];
    await laptop.signIn('Maryam');
    await phone.signIn('Maryam');
    await laptop.visit('/devices');
    expect(await laptop.devices()).toEqual([
      expect.stringContaining('This device'),
      expect.stringContaining('Safari on iOS'),
    ]);
  });

  it('signs one device out from another, which is told so on whichever page it opens next', async () => {
    const { laptop, phone } = await twoDevicesOf('Grace');
    await laptop.press('Sign out Safari on iOS');
    expect(await laptop.messages()).toEqual(['The device is signed out.']);
    expect(await laptop.devices()).toHaveLength(1);
    await phone.follow(phone.page.getByRole('link', { name: 'Devices' }));
    expect(phone.path).toBe('/sign-in?returnTo=%2Fdevices');
    expect(await phone.messages()).toEqual(['You were signed out from another device.']);
    await phone.page.getByLabel('Your name').fill('Grace');
    await phone.press('Sign in');
    expect(phone.path).toBe('/devices');
    expect(await phone.devices()).toHaveLength(2);

    await laptop.visit('/devices');
    await laptop.press('Sign out Safari on iOS');
    expect(await phone.visit('/cart')).toBe('/cart');
    expect(await phone.messages()).toEqual(['You were signed out from another device.']);
    await phone.visit('/cart');
    expect(await phone.messages()).toEqual([]);
  });

  it('tells so too when what was pressed is refused, and tells nobody who never signed in', async () => {
    const [laptop, phone] = [await visitor(LAPTOP), await visitor({ ...PHONE, javaScriptEnabled: false })];
    await phone.signIn('Rosalind');
    await laptop.signIn('Rosalind');
    await laptop.visit('/devices');
    await phone.visit('/devices'); // where a script would see the page end
    await laptop.press('Sign out the other devices');
    await phone.press('Sign out everywhere');
    expect(phone.path).toBe('/sign-in');
    expect(await phone.messages()).toEqual(['You were signed out from another device.']);

    const stranger = await visitor(LAPTOP);
    await stranger.visit('/devices');
    expect(await stranger.messages()).toEqual(['Please sign in to go on.']);
  });

  it('has room for three devices: one more, and the least recently active is signed out and named', async () => {
    const { laptop, phone } = await twoDevicesOf('Ida');
    const region = laptop.page.getByRole('region', { name: 'Devices' });
    await region.getByText('2 of 3 devices').waitFor();
    await laptop.press('Sign in on another device');
    await region.getByText('3 of 3 devices').waitFor();
    expect(await laptop.messages()).toEqual([]);

    await laptop.press('Sign in on another device');
    await region.getByText('3 of 3 devices').waitFor();
    expect(await laptop.messages()).toEqual(['Safari on iOS was signed out to make room.']);
    expect(await laptop.devices()).toEqual([
      expect.stringContaining('Chrome on macOS This device'),
      expect.stringContaining('Firefox on Windows 192.0.2.18'),
      expect.stringContaining('Safari on iOS 198.51.100.42'),
    ]);
    expect(await laptop.itemsOf('Recent activity')).toContainEqual(
      expect.stringMatching(/^Safari on iOS Signed out to make room/),
    );
    await phone.visit('/');
    expect(await phone.messages()).toEqual([expect.stringMatching(/^You were signed out: you signed in on/)]);
  });

  it('makes one entry of what happened several times in a row', async () => {
    const laptop = await visitor(LAPTOP);
    for (let times = 0; times < 4; times++) await laptop.signIn('Mileva');
    await laptop.visit('/devices');
    expect(await laptop.itemsOf('Recent activity')).toEqual([
      'Chrome on macOS Signed in 4 times 203.0.113.7, just now',
    ]);
  });

  it('asks who somebody is before it signs a device out, when they signed in a while ago', async () => {
    const { laptop, phone } = await twoDevicesOf('Lise');
    await copy.ageSignIns(6);
    await laptop.press('Sign out Safari on iOS');
    expect(laptop.path).toMatch(/^\/confirm\?action=%2Fdevices%2F\w{26}%2Fsign-out$/);
    await laptop.page.getByRole('heading', { name: 'Confirm that it is you' }).waitFor();
    await laptop.page.getByText('You are about to sign out Safari on iOS.').waitFor();
    expect(await phone.visit('/devices')).toBe('/devices');

    await laptop.page.getByLabel('Your name').fill('Otto');
    await laptop.press('Confirm and sign out');
    expect(await laptop.messages()).toEqual(['That is not the name you signed in with.']);
    await laptop.page.getByLabel('Your name').fill('Lise');
    await laptop.press('Confirm and sign out');
    expect(laptop.path).toBe('/devices');
    expect(await laptop.messages()).toEqual(['The device is signed out.']);
    expect(await laptop.devices()).toEqual([expect.stringContaining('This device')]);
    expect(await phone.visit('/devices')).toMatch(/^\/sign-in/);
  });

  it('asks so with the keyboard alone and without JavaScript', async () => {
    const [laptop, phone] = [await visitor({ ...LAPTOP, javaScriptEnabled: false }), await visitor(PHONE)];
    await phone.signIn('Emmy');
    await laptop.signIn('Emmy');
    await laptop.visit('/devices');
    await copy.ageSignIns(6);
    await laptop.press('Sign out everywhere');
    const { page } = laptop;
    await page.getByRole('heading', { name: 'Confirm that it is you' }).waitFor();
    // The field has the focus already.
    await page.keyboard.type('Emmy');
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    expect(laptop.path).toBe('/');
    expect(await laptop.messages()).toEqual(['You are signed out everywhere.']);
    expect(await phone.visit('/devices')).toMatch(/^\/sign-in/);
  });

  it('goes on with nothing but its own actions after that', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.signIn('Sofja');
    await laptop.visit('/confirm?action=//example.com/devices/sign-out-others');
    await laptop.page.getByLabel('Your name').fill('Sofja');
    await laptop.press('Confirm');
    expect(laptop.path).toBe('/devices');
  });

  it('signs out the other devices, or all of them', async () => {
    const { laptop, phone } = await twoDevicesOf('Edsger');
    await laptop.press('Sign out the other devices');
    expect(await laptop.messages()).toEqual(['1 other device is signed out.']);
    expect(await phone.visit('/devices')).toMatch(/^\/sign-in/);
    await phone.signIn('Edsger');
    await laptop.press('Sign out everywhere');
    expect(await laptop.messages()).toEqual(['You are signed out everywhere.']);
    expect(await laptop.visit('/devices')).toMatch(/^\/sign-in/);
    expect(await phone.visit('/devices')).toMatch(/^\/sign-in/);
  });

  it('keeps the cart through sign-in, and orders it once', async () => {
    const laptop = await visitor(LAPTOP);
    const { page } = laptop;
    await laptop.visit('/cart');
    await laptop.press('Add Notebook to cart');
    await laptop.press('Add Notebook to cart');
    await laptop.press('Add Midnight ink to cart');
    await laptop.press('Remove Midnight ink');
    await laptop.press('One more Notebook');
    expect(await laptop.cartCount()).toBe('Cart 3 items');
    await laptop.follow(page.getByRole('link', { name: 'Sign in to order' }));
    await page.getByLabel('Your name').fill('Barbara');
    await laptop.press('Sign in');
    expect(await laptop.cartCount()).toBe('Cart 3 items');
    await laptop.press('Place order');
    expect(await laptop.messages()).toEqual(['Ordered, once: 3 × Notebook.']);
    expect(await laptop.cartCount()).toBe('Cart');
  });

  it.each([
    ['a laptop', LAPTOP],
    ['a phone', PHONE],
  ])(
    'keeps focus and place on %s when something is put into the cart, without JavaScript',
    async (_, device) => {
      const { page, visit } = await withoutScripts(device);
      await visit('/cart');
      for (const name of ['Add Correspondence cards to cart', 'One more Correspondence cards']) {
        const button = page.getByRole('button', { name });
        await button.focus();
        await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
        expect(await isFocused(button)).toBe(true);
        const [height, { top, bottom }] = [page.viewportSize()?.height ?? 0, await boxOf(button)];
        expect({ isInView: top >= 0 && bottom <= height }).toEqual({ isInView: true });
      }
      const less = page.getByRole('button', { name: 'One less Correspondence cards' });
      await less.focus();
      await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
      const remove = page.getByRole('button', { name: 'Remove Correspondence cards' });
      expect(await isFocused(remove)).toBe(true);
      await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
      expect(await isFocused(page.getByRole('heading', { name: 'Your cart' }))).toBe(true);
    },
  );

  it('moves nothing on a laptop when something is put into the cart', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.visit('/cart');
    const button = laptop.page.getByRole('button', { name: 'Add Fountain pen to cart' });
    const before = await boxOf(button);
    await laptop.press('Add Fountain pen to cart');
    expect(await boxOf(button)).toEqual(before);
  });

  it.each([320, 390, 700, 1200])(
    'has price and button in one place on all cards, %d pixels wide',
    async (width) => {
      const somebody = await visitor({ ...LAPTOP, viewport: { width, height: 800 } });
      await somebody.visit('/cart');
      await somebody.press('Add Notebook to cart');
      const cards = await somebody.page.getByRole('region', { name: 'Products' }).getByRole('listitem').all();
      const places = await Promise.all(
        cards.map(async (card) => {
          const [outer, price, button] = await Promise.all([
            boxOf(card),
            boxOf(card.getByText('€')),
            boxOf(card.getByRole('button')),
          ]);
          return {
            price: outer.bottom - price.bottom,
            left: price.left - outer.left,
            button: outer.bottom - button.bottom,
            right: outer.right - button.right,
          };
        }),
      );
      expect(places).toHaveLength(4);
      expect(new Set(places.map((place) => JSON.stringify(place))).size).toBe(1);
    },
  );

  it('shows the cart above what goes into it on a phone', async () => {
    const phone = await visitor(PHONE);
    await phone.visit('/cart');
    const [cart, products] = await Promise.all([
      boxOf(phone.page.getByRole('region', { name: 'Your cart' })),
      boxOf(phone.page.getByRole('region', { name: 'Products' })),
    ]);
    expect(cart.bottom).toBeLessThanOrEqual(products.top);
  });

  it('shows a message once', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.signIn('Annie');
    expect(await laptop.messages()).toEqual(['Welcome, Annie.']);
    await laptop.visit('/');
    expect(await laptop.messages()).toEqual([]);
  });

  it('shows what the handler sees beside what the database has: the same row, sealed', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.visit('/');
    expect(await laptop.membersOf('What a handler sees')).toMatchObject({ data: '{}', userId: 'null' });
    await laptop.page.getByText('No row', { exact: true }).waitFor();

    await laptop.signIn('Hertha');
    await laptop.page.getByLabel('Write something into it').fill('half past nine');
    await laptop.press('Save');
    const seen = await laptop.membersOf('What a handler sees');
    const row = await laptop.membersOf('What lies in SQLite');
    expect(seen).toMatchObject({ data: '{ "memo": "half past nine" }', userId: '"Hertha"' });
    expect(seen['meta']).toContain('203.0.113.7');
    expect(row).toMatchObject({ user_id: 'Hertha', id: JSON.parse(seen['id'] ?? '') });
    expect(Object.values(row).join()).not.toMatch(/half past nine|203\.0\.113\.7|macOS/);

    const payload = Buffer.from(await payloadOf(laptop), 'hex');
    expect(payload.length).toBeGreaterThan(100);
    expect(copy.storedSessions().includes(payload)).toBe(true);
    const { value: token = '' } = (await laptop.sessionCookie()) ?? {};
    expect(row['token_hash']).toBe(sha256(token));
    expect(await laptop.page.content()).not.toContain(token.slice(32));
  });

  it('shows a rotation as it happens: by hand, and by itself when the token is a minute old', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.signIn('Chien-Shiung');
    const tokens = [(await laptop.sessionCookie())?.value ?? ''];
    await laptop.press('Rotate now');
    tokens.push((await laptop.sessionCookie())?.value ?? '');
    expect(tokens[1]).not.toBe(tokens[0]);
    expect(await laptop.itemsOf('The token')).toEqual([
      `2 ${sha256(tokens[1] ?? '').slice(0, 16)}… current yours`,
      expect.stringMatching(`^1 ${sha256(tokens[0] ?? '').slice(0, 16)}… replaced, served for \\d s more$`),
      expect.stringMatching(/^\d\d:\d\d:\d\d token 1 → 2$/),
    ]);

    await copy.ageTokens(60);
    await laptop.visit('/');
    expect(await laptop.itemsOf('The token')).toContainEqual(
      expect.stringContaining('who brings it is a thief'),
    );
    tokens.push((await laptop.sessionCookie())?.value ?? '');
    expect(tokens[2]).not.toBe(tokens[1]);
    await laptop.visit('/');
    expect(await laptop.itemsOf('The token')).toContainEqual(expect.stringMatching(/token 2 → 3$/));
  });

  it('loads the page again by itself for those who watch, and for nobody else', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.signIn('Lene');
    const refreshing = laptop.page.locator('meta[http-equiv=refresh]');
    expect(await refreshing.count()).toBe(0);
    await laptop.page.getByRole('link', { name: 'Watch it rotate' }).click();
    await laptop.page.getByRole('link', { name: 'Stop watching' }).waitFor();
    expect(await refreshing.count()).toBe(1);
  });

  it('finds a thief out who comes back with a token that was replaced, and says so to both', async () => {
    const laptop = await visitor(LAPTOP);
    const party = (name: string) => laptop.page.getByRole('region', { name, exact: true });
    await laptop.signIn('Vera');
    await laptop.visit('/theft');
    await laptop.press('Steal this cookie');
    await laptop.press('Let the thief call');
    expect(await laptop.itemsOf('What happened')).toEqual([
      expect.stringMatching(/thief GET \/whoami → 200 {"userId":"Vera"}$/),
    ]);
    await party('The thief').getByText('Signed in as Vera').waitFor();

    await laptop.press('Take a new token');
    await party('The thief').getByText('replaced, served for').waitFor();
    await laptop.press('Let the thief call');
    expect((await laptop.itemsOf('What happened')).at(-1)).toContain('GET /whoami → 200');

    await copy.ageTokens(10);
    await laptop.press('Let the thief call');
    await laptop.page.getByRole('heading', { name: /^Found out at/ }).waitFor();
    expect((await laptop.itemsOf('What happened')).slice(-3)).toEqual([
      expect.stringContaining('thief GET /whoami → 401'),
      expect.stringContaining('server reuse: a replaced token came back'),
      expect.stringContaining('server revoked: the session has ended (reuse)'),
    ]);
    for (const name of ['You', 'The thief']) await party(name).getByText('Signed out').waitFor();
    expect(await laptop.messages()).toEqual([expect.stringMatching(/somebody used a copy of your cookie/)]);
    expect(await laptop.visit('/devices')).toMatch(/^\/sign-in/);
  });

  it('finds the theft out too when the thief is the first to take a new token', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.signIn('Jocelyn');
    await laptop.visit('/theft');
    await laptop.press('Steal this cookie');
    await laptop.press('Let the thief take a new token');
    expect(await laptop.page.getByRole('link', { name: 'Open this page again' }).count()).toBe(1);
    await copy.ageTokens(10);
    // Not by the link: the page's own stream may bring the replaced token first, and then the page makes way.
    await laptop.visit(laptop.path);
    await laptop.page.getByRole('heading', { name: /^Found out at/ }).waitFor();
    expect(await laptop.itemsOf('What happened')).toContainEqual(expect.stringContaining('server reuse'));
    await laptop.follow(laptop.page.getByRole('link', { name: 'Sign in again' }));
    await laptop.page.getByLabel('Your name').fill('Jocelyn');
    await laptop.press('Sign in');
    expect(laptop.path).toBe('/theft');
  });

  it('shows administrators who is online, page by page, and never what is in a session', async () => {
    const laptop = await visitor(LAPTOP);
    await Promise.all(Array.from({ length: 25 }, (_, number) => signInWith({ name: `Crew ${number}` })));
    await laptop.signIn('Valentina');
    await laptop.page.getByLabel('Write something into it').fill('half past nine');
    await laptop.press('Save');
    await laptop.visit('/online');
    expect(await laptop.page.getByRole('table').count()).toBe(0);
    const before = (await laptop.sessionCookie())?.value;
    await laptop.press('Become an administrator');
    expect((await laptop.sessionCookie())?.value).not.toBe(before);

    const seen = await laptop.devices();
    expect(seen).toHaveLength(20);
    const next = laptop.page.getByRole('link', { name: 'Next page' });
    while ((await next.count()) > 0) {
      await laptop.follow(next);
      seen.push(...(await laptop.devices()));
      expect(await laptop.page.content()).not.toContain('half past nine');
    }
    const crew = seen.flatMap((row) => /^Crew \d+/.exec(row)?.[0] ?? []);
    expect(new Set(crew).size).toBe(25);
    expect(crew).toHaveLength(25);
    expect(seen).toContainEqual('Valentina You Chrome on macOS 203.0.113.7 just now just now');
  });

  it('lets administrators end any session, whose device is told so, and nobody else', async () => {
    const [laptop, phone] = [await visitor(LAPTOP), await visitor(PHONE)];
    await phone.signIn('Anna');
    await laptop.signIn('Sally');
    const { request } = laptop.page.context();
    const somebody = '01JZ0000000000000000000000';
    const refused = await request.post(`/online/${somebody}/sign-out`, { headers: { Accept: 'text/html' } });
    expect(refused.status()).toBe(403);
    expect(await refused.text()).toContain('That is not for everybody');

    await laptop.visit('/online');
    await laptop.press('Become an administrator');
    await laptop.visit('/online?within=any');
    await copy.ageSignIns(6);
    const row = laptop.page.getByRole('row', { name: 'Anna' });
    await turnTo(laptop, row);
    await laptop.follow(row.getByRole('button', { name: 'End' }));
    await laptop.page.getByText('You are about to end the session of Anna on Safari on iOS.').waitFor();
    await laptop.page.getByLabel('Your name').fill('Sally');
    await laptop.press('Confirm and sign out');
    expect(await laptop.messages()).toEqual(['The session has ended.']);
    await phone.visit('/');
    expect(await phone.messages()).toEqual(['An administrator signed this device out.']);
  });

  it('answers a page that is asked for with nonsense with words, not with a fault', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.signIn('Wally');
    await laptop.visit('/online');
    await laptop.press('Become an administrator');
    expect((await laptop.page.goto('/online?after=%00'))?.status()).toBe(400);
    await laptop.page.getByRole('heading', { name: 'That cannot be read' }).waitFor();
    await laptop.visit('/online?within[]=__proto__&after[]=x');
    await laptop.page.getByRole('heading', { name: 'Who is online' }).waitFor();
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
    expect(
      await laptop.page.getByRole('banner').getByRole('link', { name: 'Sign in', exact: true }).count(),
    ).toBe(1);
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
    await laptop.visit('/cart');
    await laptop.press('Add Notebook to cart');
    await laptop.signIn('Dorothy');
    expect(await laptop.messages()).toEqual(['Welcome, Dorothy.']);
    await laptop.visit('/devices');
    await laptop.press('Sign out Chrome on macOS');
    expect(await laptop.messages()).toEqual(['You are signed out on this device.']);
  });

  it('can be used with the keyboard alone', async () => {
    const laptop = await visitor(LAPTOP);
    const { page } = laptop;
    await laptop.visit('/');
    expect(await laptop.tabTo(page.getByText('Skip to content'))).toBe(1);
    await laptop.tabTo(page.getByRole('banner').getByRole('link', { name: 'Sign in' }));
    await page.keyboard.press('Enter');
    await laptop.tabTo(page.getByLabel('Your name'));
    await page.keyboard.type('Margaret');
    await laptop.tabTo(page.getByLabel('Remember me'));
    await page.keyboard.press('Space');
    await laptop.tabTo(page.getByRole('button', { name: 'Sign in' }));
    await page.keyboard.press('Enter');
    await page.getByText('Welcome, Margaret.').waitFor();
  });

  it('can be used with the keyboard alone where a cookie is stolen', async () => {
    const laptop = await visitor(LAPTOP);
    const { page } = laptop;
    await laptop.signIn('Ellen');
    await laptop.visit('/theft');
    for (const name of ['Steal this cookie', 'Let the thief call']) {
      await laptop.tabTo(page.getByRole('button', { name }));
      await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    }
    expect(await isFocused(page.getByRole('button', { name: 'Let the thief call' }))).toBe(true);
  });

  it('keeps the navigation on a page that does not exist, and knows who is there', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.signIn('Tu');
    expect((await laptop.page.goto('/there-is-no-such-page'))?.status()).toBe(404);
    await laptop.page.getByRole('heading', { name: 'There is nothing here' }).waitFor();
    await laptop.page.getByText('Signed in as Tu').waitFor();
    await laptop.follow(laptop.page.getByRole('navigation').getByRole('link', { name: 'Devices' }));
    expect(await laptop.devices()).toHaveLength(1);
  });

  /** Each page, with something on it. */
  const eachPage = async (somebody: Visitor, look: (path: string) => Promise<void>) => {
    await somebody.visit('/');
    await look('/ of a stranger');
    await somebody.visit('/cart');
    await somebody.press('Add Notebook to cart');
    await somebody.press('Add Correspondence cards to cart');
    await look('/cart');
    await somebody.signIn('A name of forty characters is a long one');
    await somebody.press('Rotate now');
    await look('/');
    await somebody.visit('/devices');
    for (let times = 0; times < 3; times++) await somebody.press('Sign in on another device');
    await look('/devices');
    await somebody.visit('/online');
    await look('/online of others');
    await somebody.press('Become an administrator');
    await look('/online of administrators');
    for (const path of ['/sign-in', '/confirm', '/there-is-no-such-page', '/online?after=%00', '/theft']) {
      await somebody.visit(path);
      await look(path);
    }
    await somebody.press('Steal this cookie');
    await somebody.press('Let the thief call');
    await somebody.press('Take a new token');
    await look('a theft');
    await copy.ageTokens(10);
    await somebody.press('Let the thief call');
    await look('a theft that was found out');
  };

  it('fits windows of 320 to 1200 pixels, and breaks no word in two', async () => {
    const somebody = await visitor(PHONE);
    await eachPage(somebody, async (path) => {
      for (const width of [320, 390, 800, 1200]) {
        await somebody.page.setViewportSize({ width, height: 640 });
        const found = { overflow: await somebody.overflow(), broken: await brokenWords(somebody.page) };
        expect({ path, width, ...found }).toEqual({ path, width, overflow: 0, broken: [] });
      }
    });
  });

  it('can be read in light and in dark, and makes sense when it is read out', async () => {
    const somebody = await visitor(LAPTOP);
    await eachPage(somebody, async (path) => {
      for (const colorScheme of ['light', 'dark'] as const) {
        await somebody.page.emulateMedia({ colorScheme });
        const faint = await faintTexts(somebody.page);
        expect({ path, colorScheme, faint }).toEqual({ path, colorScheme, faint: [] });
      }
      expect({ path, unnamed: await unnamedParts(somebody.page) }).toEqual({ path, unnamed: [] });
    });
  });

  it('stores nothing that could be read from the file but ids and times', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.signIn('Hypatia');
    await laptop.visit('/devices');
    expect(await laptop.devices()).toEqual([expect.stringContaining('203.0.113.7')]);
    const { request } = laptop.page.context();
    await request.post('/session/memo', { form: { memo: 'half past nine' }, maxRedirects: 0 });
    const { value: token = '' } = (await laptop.sessionCookie()) ?? {};

    const stored = copy.storedSessions();
    expect(readdirSync(copy.data())).toContain('sessions.sqlite-wal');
    expect(stored.includes('Hypatia')).toBe(true);
    const secrets = [token, token.slice(26), 'half past nine', 'Welcome', '203.0.113.7', 'Mozilla', 'macOS'];
    expect(secrets.filter((text) => stored.includes(text))).toEqual([]);
  });
});

(canBrowse ? describe : describe.skip)('the demo with HTTPS=1', () => {
  let site: RunningDemo;
  beforeAll(async () => {
    site = await copy.start(0, { HTTPS: '1', STORAGE: 'memory' });
  });
  const visitor = useVisitors(() => site.url);

  it('has a certificate of its own, and a __Host- cookie that is Secure', async () => {
    expect(site.url).toMatch(/^https:/);
    const laptop = await visitor({ ...LAPTOP, ignoreHTTPSErrors: true });
    await laptop.signIn('Frances');
    expect(await laptop.sessionCookie()).toMatchObject({ name: '__Host-sid', secure: true, httpOnly: true });
  });

  it('plays other clients over https too', async () => {
    const laptop = await visitor({ ...LAPTOP, ignoreHTTPSErrors: true });
    await laptop.signIn('Jean');
    await laptop.visit('/devices');
    await laptop.press('Sign in on another device');
    expect(await laptop.devices()).toHaveLength(2);
    await laptop.visit('/theft');
    await laptop.press('Steal this cookie');
    await laptop.press('Let the thief call');
    expect(await laptop.itemsOf('What happened')).toEqual([expect.stringContaining('200 {"userId":"Jean"}')]);
  });
});

(canBrowse ? describe : describe.skip)('the demo with STORAGE=memory', () => {
  let site: RunningDemo;
  beforeAll(async () => {
    site = await copy.start(0, { STORAGE: 'memory' });
  });
  const visitor = useVisitors(() => site.url);

  it('keeps sessions until it is stopped, and shows their rows', async () => {
    const laptop = await visitor(LAPTOP);
    await laptop.signIn('Kathleen');
    const row = await laptop.membersOf('What lies in the memory of this process');
    expect(row).toMatchObject({ user_id: 'Kathleen' });
    await site.stop();
    site = await copy.start(site.port, { STORAGE: 'memory' });
    await laptop.visit('/devices');
    expect(await laptop.messages()).toEqual(['Your session has ended. Please sign in again.']);
  });
});

onEachDatabase('the demo with DATABASE_URL', SERVER_KINDS, (kind) => {
  let database: TestDatabase;
  let site: RunningDemo;
  beforeAll(async () => {
    database = await openDatabase(kind);
    site = await copy.start(0, { DATABASE_URL: databaseUrl(database) });
  });
  afterAll(async () => {
    await site.stop();
    await database.drop();
  });

  it('keeps sessions there, and shows their rows', async () => {
    const cookie = await signInWith({ name: 'Ruby' }, site);
    const visit = async () => (await fetch(site.url, { headers: { Cookie: cookie } })).text();
    expect(await visit()).toContain('Welcome, Ruby.'); // read once, and gone from the row
    const page = await visit();
    const rows = await (await database.open()).query('SELECT * FROM sessions');
    expect(rows).toHaveLength(1);
    const [{ token_hash: hash, payload }] = rows as [{ token_hash: Buffer | string; payload: Buffer }];
    expect(page).toContain(`What lies in ${kind === 'postgres' ? 'PostgreSQL' : 'MySQL'}`);
    expect(page).toContain(hash.toString());
    expect(page.replaceAll(/<[^>]*>|\s/g, '')).toContain(payload.toString('hex'));
  });
});

interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** Where something is in the window. */
function boxOf(target: Locator): Promise<Box> {
  return target.evaluate((element) => {
    const { top, bottom, left, right } = element.getBoundingClientRect();
    return { top, bottom, left, right };
  });
}

function isFocused(target: Locator): Promise<boolean> {
  return target.evaluate((element) => element === element.ownerDocument.activeElement);
}

/** Turns the pages until that is on one. */
async function turnTo({ page }: Visitor, target: Locator): Promise<void> {
  while ((await target.count()) === 0) {
    const next = page.getByRole('link', { name: 'Next page' });
    await Promise.all([page.waitForEvent('load'), next.click()]);
  }
}

/** The bytes of the payload that the page shows, in hex. */
async function payloadOf({ page }: Visitor): Promise<string> {
  const parts = await page.locator('.payload dd > .part').allInnerTexts();
  return parts.join('');
}
