import { Agent } from 'node:http';
import { openApp, type Platform, PLATFORMS } from '../../support/open-app.js';
import { BASICS } from '../../support/session-routes.js';

const SITES = [undefined, '', 'same-origin', 'none', 'same-site', 'cross-site', 'Same-Origin', 'none, none'];
const ORIGINS = [
  undefined,
  '',
  'null',
  'junk',
  'https://app.test',
  'http://app.test',
  'https://APP.TEST',
  'https://app.test:443',
  'https://app.test:8443',
  'https://evil.test',
  'https://admin.test',
  'https://app.test, https://app.test',
  'http://[::1]:3000',
  'file://',
];
const HOSTS = ['app.test', 'App.Test', 'app.test:443', 'app.test:8443', '[::1]:3000'];
const METHODS = ['POST', 'DELETE', 'GET'];

const CASES = METHODS.flatMap((method) =>
  SITES.flatMap((site) => ORIGINS.flatMap((origin) => HOSTS.map((host) => ({ method, site, origin, host })))),
);

/** What an app answers to each case, with the protection of Nest, or with ours. */
async function answers(platform: Platform, protection: 'nest' | 'ours'): Promise<string[]> {
  const trusted = ['https://admin.test'];
  const { app, browser } = await openApp(platform, {
    options: { csrf: protection === 'ours' ? { origins: trusted } : false },
    routes: BASICS,
    prepare: (made) => protection === 'nest' && made.enableCsrfProtection({ trustedOrigins: trusted }),
  });
  const ada = browser();
  await ada.post('/do/in');
  const agent = new Agent({ keepAlive: true });
  const found: string[] = [];
  for (const { method, site, origin, host } of CASES) {
    const headers = {
      host,
      ...(site === undefined ? {} : { 'sec-fetch-site': site }),
      ...(origin === undefined ? {} : { origin }),
    };
    const { status } = await ada.send(method, '/do/see', { headers, agent });
    found.push(`${method} from ${site} by ${origin} to ${host}: ${status}`);
  }
  agent.destroy();
  await app.close();
  return found;
}

describe.each(PLATFORMS)("Nest's own protection, on %s", (platform) => {
  it('and ours answer every combination of headers alike', async () => {
    const [nest, ours] = [await answers(platform, 'nest'), await answers(platform, 'ours')];
    expect(ours).toEqual(nest);
    expect(new Set(ours.map((line) => line.slice(-3)))).toEqual(new Set(['200', '403']));
  });

  it('works beside ours: each refuses with its own words, and what it accepts reaches the handler', async () => {
    const { app, browser } = await openApp(platform, {
      routes: BASICS,
      prepare: (made) => made.enableCsrfProtection(),
    });
    const ada = browser();
    await ada.post('/do/in');
    const own = { 'sec-fetch-site': 'same-origin', origin: 'https://app.test' };
    expect((await ada.post('/do/set', { theme: 'dark' }, own)).status).toBe(200);
    expect((await ada.post('/do/set', {}, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    await app.close();
  });
});
