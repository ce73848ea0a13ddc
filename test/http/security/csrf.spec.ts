import { All, Controller, Post } from '@nestjs/common';
import { SkipSession } from 'nest-sessions';
import { ManualClock } from 'nest-sessions/testing';
import { resolveOptions } from '../../../src/session.options.js';
import { onEachPlatform, type OpenApp } from '../../support/open-app.js';
import { sendRaw } from '../../support/raw-request.js';
import { BASICS, refusal, userOf } from '../../support/session-routes.js';
import { rowsOf } from '../../support/storage.js';

@Controller('acts')
class ActsController {
  @All()
  act(): string {
    return 'done';
  }

  @Post('skipped')
  @SkipSession()
  skipped(): string {
    return 'done';
  }
}

const FOREIGN = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.test' };
const REFUSED = { status: 403, code: 'cross_site_request' };

const openActs = async (open: OpenApp, csrf?: { origins: string[] } | false) => {
  const app = await open({
    controllers: [ActsController],
    options: csrf === undefined ? {} : { csrf },
    routes: {
      ...BASICS,
      again: ({ session }) => session.reauthenticate(),
    },
  });
  const ada = app.browser();
  await ada.post('/do/in');
  return { ...app, ada };
};

onEachPlatform('a request that a page of another site makes a browser send', (open) => {
  it('changes nothing for whoever is signed in: 403 with a code, naming the option', async () => {
    const { ada, storage } = await openActs(open);
    const reply = await ada.post('/do/set', { theme: 'dark' }, FOREIGN);
    expect(refusal(reply)).toEqual(REFUSED);
    expect(reply.json<{ message: string }>().message).toContain('`csrf` option');
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(reply.headers.vary).toBe('Cookie');
    expect(storage.calls).not.toContain('save');
    expect(await userOf(ada)).toBe('ada');
  });

  it.each([
    ['the page of a sibling host', { 'sec-fetch-site': 'same-site', origin: 'https://blog.app.test' }],
    ['a sandboxed frame', { 'sec-fetch-site': 'cross-site', origin: 'null' }],
    ['an opaque origin, in an older browser', { origin: 'null' }],
    ['another site, in an older browser', { origin: 'https://evil.test' }],
    ['another port of the host', { origin: 'https://app.test:8443' }],
    ['a longer host that begins alike', { origin: 'https://app.test.evil.test' }],
    ['an origin that is none', { origin: 'app.test' }],
    ['two values at once', { 'sec-fetch-site': 'same-origin, cross-site' }],
    ['a value that is not one of Fetch Metadata', { 'sec-fetch-site': 'Same-Origin' }],
    ['its own origin, though the browser says otherwise', { ...FOREIGN, origin: 'https://app.test' }],
  ])('is one that comes from %s', async (_, headers) => {
    const { ada } = await openActs(open);
    expect(refusal(await ada.post('/do/set', { theme: 'dark' }, headers))).toEqual(REFUSED);
  });

  it.each([
    ['neither header: no browser of today sends it', {}],
    ['a page of the app', { 'sec-fetch-site': 'same-origin', origin: 'https://app.test' }],
    ['a page of the app that hides its origin', { 'sec-fetch-site': 'same-origin', origin: 'null' }],
    ['the address bar', { 'sec-fetch-site': 'none' }],
    ['a page of the app, in an older browser', { origin: 'https://app.test' }],
    ['the same, in capital letters', { origin: 'https://APP.test' }],
    ['the same, with the port in the host alone', { origin: 'https://app.test', host: 'app.test:443' }],
    ['a page over IPv6', { origin: 'http://[::1]:3000', host: '[::1]:3000' }],
    ['an origin that is listed', { 'sec-fetch-site': 'cross-site', origin: 'https://admin.test' }],
    ['one that is listed, in an older browser', { origin: 'https://admin.test' }],
    ['a native shell that is listed', { 'sec-fetch-site': 'cross-site', origin: 'capacitor://localhost' }],
  ])('is none that comes from %s', async (_, headers) => {
    const { ada } = await openActs(open, { origins: ['https://Admin.test:443', 'capacitor://localhost'] });
    // The jar keeps the cookie for app.test, whatever the Host header says.
    expect((await ada.post('/do/set', { theme: 'dark' }, headers)).status).toBe(200);
  });

  it('is told by the host that a proxy forwards, where the platform trusts the proxy', async () => {
    const headers = { origin: 'https://shop.test', 'x-forwarded-host': 'shop.test', host: 'app.test' };
    for (const [trustProxy, status] of [
      [true, 200],
      [false, 403],
    ] as const) {
      const { browser } = await open({ trustProxy, routes: BASICS });
      const ada = browser();
      await ada.post('/do/in');
      expect((await ada.post('/do/set', { theme: 'dark' }, headers)).status).toBe(status);
      // The Host header itself is what the browser addressed, whatever stands in front.
      const direct = { ...headers, origin: 'https://app.test' };
      expect((await ada.post('/do/set', { theme: 'dark' }, direct)).status).toBe(200);
    }
  });

  it.each([
    ['two origins, one of them its own', ['Origin: https://app.test', 'Origin: https://evil.test']],
    ['two origins, both its own', ['Origin: https://app.test', 'Origin: https://app.test']],
    ['two words on where it comes from', ['Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: cross-site']],
  ])('is one with %s, over the wire', async (_, lines) => {
    const { ada, port } = await openActs(open);
    const cookie = `Cookie: __Host-sid=${await ada.cookie()}`;
    const start = ['POST /acts HTTP/1.1', 'Host: app.test', 'Content-Length: 0', 'Connection: close', cookie];
    const { status } = await sendRaw(port, Buffer.from([...start, ...lines, '', ''].join('\r\n')));
    expect(status).toBe(403);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('is refused for %s', async (method) => {
    const { ada } = await openActs(open);
    expect(refusal(await ada.send(method, '/acts', { headers: FOREIGN }))).toEqual(REFUSED);
  });

  it.each(['GET', 'HEAD'])('is served for %s, which changes nothing', async (method) => {
    const { ada } = await openActs(open);
    expect((await ada.send(method, '/acts', { headers: FOREIGN })).status).toBe(200);
  });

  it('is served where there is no session, and on routes that skip it', async () => {
    const { ada, browser } = await openActs(open);
    expect((await browser().post('/acts', {}, FOREIGN)).text).toBe('done');
    expect((await ada.post('/acts/skipped', {}, FOREIGN)).status).toBe(201);
  });

  it('cannot log anybody out', async () => {
    const { ada } = await openActs(open);
    expect(refusal(await ada.post('/do/out', {}, FOREIGN))).toEqual(REFUSED);
    expect(await userOf(ada)).toBe('ada');
  });

  it('is served with `csrf: false`, when something else protects the app', async () => {
    const { ada, browser } = await openActs(open, false);
    expect((await ada.post('/do/set', { theme: 'dark' }, FOREIGN)).status).toBe(200);
    expect((await browser().post('/do/in', {}, FOREIGN)).status).toBe(200);
  });
});

onEachPlatform('sign-in from a page of another site', (open) => {
  it('is refused, so that nobody is signed in as somebody else', async () => {
    const { browser, storage } = await openActs(open);
    const visitor = browser();
    const reply = await visitor.post('/do/in?user=mallory', {}, FOREIGN);
    expect(refusal(reply)).toEqual(REFUSED);
    expect(reply.setCookies).toEqual([]);
    expect(rowsOf(storage).map(({ userId }) => userId)).toEqual(['ada']);
  });

  it.each([
    ['an image', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
    ['a script', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors', origin: 'https://evil.test' }],
    ['a script, in an older browser', { origin: 'https://evil.test' }],
  ])('is refused by GET from %s', async (_, headers) => {
    const { browser } = await openActs(open);
    expect(refusal(await browser().get('/do/in?user=mallory', { headers }))).toEqual(REFUSED);
  });

  it('is accepted where a link or an identity provider leads here by GET', async () => {
    const { browser } = await openActs(open);
    const visitor = browser();
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    expect((await visitor.get('/do/in?user=grace', { headers })).status).toBe(200);
    expect(await userOf(visitor)).toBe('grace');
  });

  it('is accepted from a form of an identity provider that is listed', async () => {
    const { browser } = await openActs(open, { origins: ['https://idp.test'] });
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    const form = (origin: string) => browser().post('/do/in', {}, { ...headers, origin });
    expect((await form('https://idp.test')).status).toBe(200);
    expect(refusal(await form('https://idp2.test'))).toEqual(REFUSED);
  });

  it('is refused as renewed proof of identity too', async () => {
    const { ada } = await openActs(open);
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' };
    expect(refusal(await ada.get('/do/again', { headers }))).toEqual(REFUSED);
    expect((await ada.get('/do/again')).status).toBe(200);
  });
});

describe('the option `csrf`', () => {
  it.each<[unknown, string]>([
    [true, '`csrf`: expected an object { origins } or false, got true'],
    [null, '`csrf`: expected an object { origins } or false, got null'],
    [{ origin: [] }, "Unknown `csrf` option: expected one of origins, got 'origin'"],
    [{ origins: 'https://a.test' }, "`csrf.origins`: expected a list of origins, got 'https://a.test'"],
    ...[
      'a.test',
      'https://a.test/',
      'https://a.test/x',
      'https://*.a.test',
      'https://u@a.test',
      '*',
      'null',
    ].map((origin): [unknown, string] => [
      { origins: [origin] },
      `\`csrf.origins\`: expected origins such as 'https://admin.example.com', without a path, got '${origin}'`,
    ]),
  ])('refuses %j', (csrf, message) => {
    expect(() => resolveOptions({ plaintext: true, csrf: csrf as false }, new ManualClock(0))).toThrow(
      message,
    );
  });
});
