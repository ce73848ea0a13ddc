import type { Page } from 'playwright-core';
import { onEachDatabase, openDatabase, SERVER_KINDS, type TestDatabase } from '../support/databases.js';
import { canBrowse } from './support/chromium.js';
import { databaseUrl } from './support/database-url.js';
import { DemoCopy } from './support/demo-copy.js';
import { brokenWords, faintTexts, unnamedParts } from './support/page-faults.js';
import type { RunningDemo } from './support/running-demo.js';
import { useVisitors } from './support/use-visitors.js';
import { LAPTOP, PHONE } from './support/visitor.js';

// Pages of the demo that are open when their session ends, or when the devices of their user change.

const ELSEWHERE = 'You were signed out from another device.';

const copy = new DemoCopy();
let demo: RunningDemo;

beforeAll(async () => {
  demo = await copy.npmStart();
});

afterAll(() => copy.remove());

/** Sends a form as a program does, with a cookie. */
function post(path: string, form: Readonly<Record<string, string>>, cookie = '', { url } = demo) {
  const body = new URLSearchParams(form);
  const headers = { Accept: 'application/json', Cookie: cookie };
  return fetch(`${url}${path}`, { method: 'POST', body, headers, redirect: 'manual' });
}

/** Signs in as a program does; gives the cookie. */
async function signInWith(name: string, at = demo): Promise<string> {
  const { headers } = await post('/sign-in', { name }, '', at);
  return headers.getSetCookie()[0]?.split(';', 1)[0] ?? '';
}

/** Leaves a mark in the page that is gone once it is loaded again. */
async function mark(page: Page): Promise<() => Promise<boolean>> {
  await page.evaluate('document.marked = true');
  return async () => (await page.evaluate('document.marked')) === true;
}

(canBrowse ? describe : describe.skip)('an open page of the demo', () => {
  const visitor = useVisitors(() => demo.url);
  /** Somebody on a phone, on that page, and the cookie of another device. */
  const phoneAt = async (path: string, name: string) => {
    const phone = await visitor(PHONE);
    await phone.signIn(name);
    await phone.visit(path);
    return { phone, page: phone.page, cookie: await signInWith(name) };
  };

  it.each(['/', '/devices', '/theft', '/online', '/cart', '/confirm', '/sign-in'])(
    'ends by itself when its device is signed out from another one, and says so: %s',
    async (path) => {
      const { phone, page, cookie } = await phoneAt(path, 'Grace');
      const isSamePage = await mark(page);
      await post('/devices/sign-out-others', {}, cookie);
      expect(await phone.ending()).toBe(ELSEWHERE);
      expect([await isSamePage(), phone.path, await page.title()]).toEqual([
        true,
        path,
        'Signed out · nest-sessions',
      ]);
      expect(await page.locator('body').innerText()).not.toContain('Grace');
      expect(await page.getByRole('button').count()).toBe(0);
      const heading = page.getByRole('heading', { name: 'Signed out' });
      expect(await heading.evaluate((one) => one === one.ownerDocument.activeElement)).toBe(true);

      await phone.follow(page.getByRole('link', { name: 'Sign in again' }));
      expect(await phone.messages()).toEqual([ELSEWHERE]);
      await page.getByLabel('Your name').fill('Grace');
      await phone.press('Sign in');
      expect(phone.path).toBe(path);
    },
  );

  it('ends in each window of the browser', async () => {
    const { phone, page, cookie } = await phoneAt('/devices', 'Ida');
    const [second, third] = [await page.context().newPage(), await page.context().newPage()];
    await second.goto('/cart');
    await third.goto('/devices');
    await post('/devices/sign-out-others', {}, cookie);
    expect(await phone.ending()).toBe(ELSEWHERE);
    for (const one of [second, third]) expect(await one.getByRole('alert').innerText()).toBe(ELSEWHERE);
  });

  it('ends when its user signs in on more devices than there is room for', async () => {
    const { phone } = await phoneAt('/cart', 'Hedy');
    for (let device = 2; device <= 3; device++) await signInWith('Hedy');
    expect(await phone.ending()).toMatch(/^You were signed out: you signed in on more devices/);
  });

  it('ends when somebody comes with a copy of its cookie', async () => {
    const { phone } = await phoneAt('/', 'Vera');
    const { name = '', value = '' } = (await phone.sessionCookie()) ?? {};
    await phone.press('Rotate now');
    await phone.visit('/devices');
    await copy.ageTokens(10);
    const headers = { Accept: 'application/json', Cookie: `${name}=${value}` };
    const stolen = await fetch(`${demo.url}/whoami`, { headers });
    expect(stolen.status).toBe(401);
    expect(await phone.ending()).toMatch(/somebody used a copy of your cookie/);
  });

  it('ends when an administrator ends its session', async () => {
    const { phone, page } = await phoneAt('/', 'Anna');
    const { id } = (await phone.membersOf('What lies in SQLite')) as { id: string };
    const cookie = await signInWith('Sally');
    const administrator = await post('/online/become', {}, cookie);
    const [line = ''] = administrator.headers.getSetCookie();
    await post(`/online/${id}/sign-out`, {}, line.split(';', 1)[0]);
    expect(await phone.ending()).toBe('An administrator signed this device out.');
    expect(await page.getByRole('link', { name: 'Sign in again' }).getAttribute('href')).toBe('/sign-in');
  });

  it('ends when it was not used for too long: that it is open is no use', async () => {
    const { phone } = await phoneAt('/devices', 'Radia');
    await copy.ageUse(25);
    expect(await phone.ending()).toMatch(/not used for too long/);
  });

  it('ends when its user signs out in another window, and that one is told as ever', async () => {
    const { phone, page } = await phoneAt('/devices', 'Emmy');
    const other = await page.context().newPage();
    await other.goto('/cart');
    await other.getByRole('button', { name: 'Sign out', exact: true }).click();
    await other.getByText('You are signed out on this device.').waitFor();
    expect(await other.getByRole('alert').count()).toBe(0);
    expect(await phone.ending()).toBe('You are signed out on this device.');
  });

  it('goes on when its user signs in anew in another window, and is loaded again when that is somebody else', async () => {
    const { phone, page } = await phoneAt('/devices', 'Lise');
    const isSamePage = await mark(page);
    const row = page.getByRole('row', { name: 'This device' });
    const before = await row.getAttribute('id');
    const other = await page.context().newPage();
    const signIn = async (name: string) => {
      await other.goto('/sign-in');
      await other.getByLabel('Your name').fill(name);
      await other.getByRole('button', { name: 'Sign in', exact: true }).click();
      await other.getByText(`Welcome, ${name}.`).waitFor();
    };
    await signIn('Lise');
    await page.locator(`#${before}`).waitFor({ state: 'detached' });
    expect(await row.count()).toBe(1);
    expect(await isSamePage()).toBe(true);

    await signIn('Otto');
    await page.getByText('Signed in as Otto').waitFor();
    expect(await isSamePage()).toBe(false);
    expect(await phone.devices()).toEqual([expect.stringContaining('This device')]);
  });

  it('survives a restart of the server, and ends afterwards all the same', async () => {
    const { phone, page, cookie } = await phoneAt('/devices', 'Katherine');
    const isSamePage = await mark(page);
    await demo.stop(); // which an open page does not hold up
    demo = await copy.start(demo.port);
    await post('/devices/sign-out-others', {}, cookie);
    expect(await phone.ending()).toBe(ELSEWHERE);
    expect(await isSamePage()).toBe(true);
  });

  it('stays without JavaScript, and is told on the next page', async () => {
    const phone = await visitor({ ...PHONE, javaScriptEnabled: false });
    await phone.signIn('Dorothy');
    await phone.visit('/devices');
    await post('/devices/sign-out-others', {}, await signInWith('Dorothy'));
    await phone.press('Sign out everywhere');
    expect(phone.path).toBe('/sign-in');
    expect(await phone.messages()).toEqual([ELSEWHERE]);
  });

  it('shows devices as they come and go, says so, and leaves the focus where it is', async () => {
    const laptop = await visitor(LAPTOP);
    const { page } = laptop;
    await laptop.signIn('Ada');
    await laptop.visit('/devices');
    const isSamePage = await mark(page);
    const news = page.locator('[aria-live=polite]');
    const everywhere = page.getByRole('button', { name: 'Sign out everywhere' });
    await everywhere.focus();

    const phone = await visitor(PHONE);
    await phone.signIn('Ada');
    const row = page.getByRole('row', { name: 'Safari on iOS' });
    await row.waitFor();
    expect(await laptop.devices()).toEqual([
      expect.stringMatching(/^Chrome on macOS This device 203\.0\.113\.7 just now just now/),
      expect.stringMatching(/^Safari on iOS 198\.51\.100\.42 just now just now in 24 hours/),
    ]);
    expect(await news.innerText()).toBe('Safari on iOS has signed in.');
    expect(await laptop.itemsOf('Recent activity')).toContainEqual(
      expect.stringMatching(/^Safari on iOS Signed in/),
    );
    const isFocused = (target: typeof row) =>
      target.evaluate((one) => one === one.ownerDocument.activeElement);
    expect(await isFocused(everywhere)).toBe(true);

    const button = page.getByRole('button', { name: 'Sign out Safari on iOS' });
    await button.focus();
    await phone.press('Sign out');
    await row.waitFor({ state: 'detached' });
    expect(await news.innerText()).toBe('Safari on iOS is signed out.');
    expect(await isFocused(page.getByRole('heading', { name: 'Your devices' }))).toBe(true);
    expect(await isSamePage()).toBe(true);
  });

  it.each([
    ['with a highlight', 'no-preference', 'arrive'],
    ['without one for those who want less motion', 'reduce', 'none'],
  ] as const)('shows a new device %s', async (_, reducedMotion, animation) => {
    const laptop = await visitor({ ...LAPTOP, reducedMotion });
    await laptop.signIn('Mileva');
    await laptop.visit('/devices');
    await signInWith('Mileva');
    const row = laptop.page.locator('.is-new');
    await row.waitFor();
    const name = row.evaluate((one) => one.ownerDocument.defaultView?.getComputedStyle(one).animationName);
    expect(await name).toBe(animation);
  });

  it('fits, can be read and makes sense once it has ended', async () => {
    const { phone, page, cookie } = await phoneAt('/devices', 'A name of forty characters is a long one');
    await post('/devices/sign-out-others', {}, cookie);
    await phone.ending();
    for (const width of [320, 390, 800, 1200]) {
      await page.setViewportSize({ width, height: 640 });
      const found = { overflow: await phone.overflow(), broken: await brokenWords(page) };
      expect({ width, ...found }).toEqual({ width, overflow: 0, broken: [] });
    }
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect({ colorScheme, faint: await faintTexts(page) }).toEqual({ colorScheme, faint: [] });
    }
    expect(await unnamedParts(page)).toEqual([]);
  });

  it('leaves to a form what the form itself ends', async () => {
    const { phone, page } = await phoneAt('/devices', 'Edsger');
    const shown: string[] = [];
    await page.exposeFunction('tell', (title: string) => shown.push(title));
    await page.evaluate(
      `new MutationObserver(() => tell(document.title)).observe(document.body, { childList: true })`,
    );
    await phone.press('Sign out everywhere');
    expect(await phone.messages()).toEqual(['You are signed out everywhere.']);
    expect(shown).toEqual([]);
  });
});

describe('what an open page of the demo asks for', () => {
  const at = (path: string, headers: Record<string, string>, signal?: AbortSignal) =>
    fetch(`${demo.url}${path}`, { headers, redirect: 'manual', ...(signal && { signal }) });

  /** Reads an event stream until that is in it. */
  async function readUntil(text: string, path: string, cookie: string): Promise<void> {
    const leaving = new AbortController();
    const { body, status, headers } = await at(path, { Cookie: cookie }, leaving.signal);
    expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    let read = '';
    for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      read += chunk;
      if (read.includes(text)) break;
    }
    expect(read).toContain(text);
    leaving.abort();
  }

  it('is no use of the session', async () => {
    const cookie = await signInWith('Hypatia');
    await restart(() => copy.ageUse(1));
    const [before] = await copy.lastUseOf('Hypatia');
    await readUntil('data: Hypatia', '/live', cookie);
    await readUntil('event: devices', '/devices/live', cookie);
    expect((await at('/signed-out', { Cookie: cookie })).status).toBe(204);
    await restart(); // what is written behind responses is written
    expect(await copy.lastUseOf('Hypatia')).toEqual([before]);
    await at('/devices', { Cookie: cookie });
    await restart();
    expect(await copy.lastUseOf('Hypatia')).not.toEqual([before]);
  });

  it('is refused, without a cookie, to who is not signed in', async () => {
    for (const path of ['/live', '/devices/live']) {
      const reply = await at(path, { Accept: 'text/event-stream' });
      expect([reply.status, reply.headers.getSetCookie()]).toEqual([401, []]);
    }
  });

  it('says why a session has ended without a cookie, so that each window is told, and the next page too', async () => {
    const cookie = await signInWith('Rosalind');
    await post('/devices/sign-out-others', {}, await signInWith('Rosalind'));
    for (let window = 1; window <= 2; window++) {
      const reply = await at('/signed-out?returnTo=/devices', { Cookie: cookie, Accept: '*/*' });
      expect([reply.status, reply.headers.getSetCookie()]).toEqual([200, []]);
      expect(reply.headers.get('cache-control')).toBe('no-store');
      expect(await reply.text()).toContain(`<p role="alert">${ELSEWHERE}</p>`);
    }
    const next = await at('/cart', { Cookie: cookie, Accept: 'text/html' });
    expect(await next.text()).toContain(ELSEWHERE);
  });

  it('leads to no other site, and takes no made-up cookie amiss', async () => {
    const reply = await at('/signed-out?returnTo=//example.com', { Cookie: 'sid=%00x' });
    const text = await reply.text();
    expect(text).toContain('Your session has ended. Please sign in again.');
    expect(text).toContain('href="/sign-in"');
  });

  it('lies among the sessions, where administrators do not see it', async () => {
    const cookie = await signInWith('Wally');
    await post('/devices/sign-out-others', {}, await signInWith('Wally'));
    const { headers } = await post('/online/become', {}, await signInWith('Valentina'));
    const [line = ''] = headers.getSetCookie();
    let path: string | undefined = '/online?within=any';
    const pages: string[] = [];
    while (path !== undefined) {
      const reply = await at(path, { Cookie: line.split(';', 1)[0] ?? '', Accept: 'text/html' });
      const text = await reply.text();
      pages.push(text);
      path = /href="([^"]+)">Next page/.exec(text)?.[1]?.replaceAll('&#38;', '&').replaceAll('&amp;', '&');
    }
    expect(pages.join('')).toContain('Valentina');
    expect(pages.join('')).not.toContain('ending:');
    expect((await at('/devices', { Cookie: cookie })).status).not.toBe(200);
  });

  /** Starts it again on the same port. */
  async function restart(meanwhile: () => Promise<void> = async () => undefined): Promise<void> {
    await demo.stop();
    await meanwhile();
    demo = await copy.start(demo.port);
  }
});

(canBrowse ? describe : describe.skip)('an open page of the demo with STORAGE=memory', () => {
  let site: RunningDemo;
  beforeAll(async () => {
    site = await copy.start(0, { STORAGE: 'memory' });
  });
  const visitor = useVisitors(() => site.url);

  it('ends by itself as well', async () => {
    const phone = await visitor(PHONE);
    await phone.signIn('Kathleen');
    await post('/devices/sign-out-others', {}, await signInWith('Kathleen', site), site);
    expect(await phone.ending()).toBe(ELSEWHERE);
  });
});

onEachDatabase('the demo in two processes', SERVER_KINDS, (kind) => {
  let database: TestDatabase;
  let [here, there]: RunningDemo[] = [];
  beforeAll(async () => {
    database = await openDatabase(kind);
    const environment = { DATABASE_URL: databaseUrl(database) };
    here = await copy.start(0, environment);
    there = await copy.start(0, environment);
  });
  afterAll(async () => {
    await here?.stop();
    await there?.stop();
    await database.drop();
  });

  (canBrowse ? describe : describe.skip)('with a browser at each', () => {
    const visitor = useVisitors(() => here?.url ?? '');
    const visitorThere = useVisitors(() => there?.url ?? '');

    it('ends the page of a device that is signed out at the other process, with the words', async () => {
      const [laptop, phone] = [await visitor(LAPTOP), await visitorThere(PHONE)];
      await laptop.signIn('Grace');
      await phone.signIn('Grace');
      await phone.visit('/devices');
      const isSamePage = await mark(phone.page);
      await laptop.visit('/devices');
      await laptop.press('Sign out Safari on iOS');
      expect(await phone.ending()).toBe(ELSEWHERE);
      expect(await isSamePage()).toBe(true);
      await phone.follow(phone.page.getByRole('link', { name: 'Sign in again' }));
      expect(phone.path).toBe('/sign-in?returnTo=%2Fdevices');
    });

    it('shows a device that signs in at the other process, and that is signed out there', async () => {
      const [laptop, phone] = [await visitor(LAPTOP), await visitorThere(PHONE)];
      await laptop.signIn('Ada');
      await laptop.visit('/devices');
      await phone.signIn('Ada');
      const row = laptop.page.getByRole('row', { name: 'Safari on iOS' });
      await row.waitFor();
      await phone.press('Sign out');
      await row.waitFor({ state: 'detached' });
    });

    it('tells the page of whom it has too many', async () => {
      const phone = await visitorThere(PHONE);
      await phone.signIn('Hedy');
      for (let device = 1; device <= 3; device++) await signInWith('Hedy', here);
      expect(await phone.ending()).toMatch(/^You were signed out: you signed in on more devices/);
    });
  });

  it('tells the next page there why a session has ended', async () => {
    const cookie = await signInWith('Rosalind', there);
    await post('/devices/sign-out-others', {}, await signInWith('Rosalind', here), here);
    const reply = await fetch(`${there?.url}/signed-out`, { headers: { Cookie: cookie } });
    expect(await reply.text()).toContain(ELSEWHERE);
  });

  if (kind === 'postgres') {
    it('listens in each for what the other one ends', async () => {
      const dataSource = await database.open();
      const listening = `SELECT count(*)::int AS count FROM pg_stat_activity
        WHERE datname = current_database() AND query ILIKE 'listen %'`;
      expect(await dataSource.query(listening)).toEqual([{ count: 2 }]);
    });
  }
});
