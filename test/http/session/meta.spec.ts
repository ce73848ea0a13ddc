import { onEachPlatform } from '../../support/open-app.js';
import { BASICS, refusal, seenBy } from '../../support/session-routes.js';
import { rowsOf } from '../../support/storage.js';

const CHROME =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1';

onEachPlatform('meta', (open) => {
  it('is address, user agent, and name and type of the device at sign-in', async () => {
    const { browser } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/in', {}, { 'user-agent': CHROME });
    expect((await seenBy(ada)).meta).toEqual({
      ip: '127.0.0.1',
      userAgent: CHROME,
      deviceName: 'Chrome on macOS',
      deviceType: 'desktop',
    });
  });

  it('tells a phone from a desktop', async () => {
    const { browser } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/in', {}, { 'user-agent': IPHONE });
    expect((await seenBy(ada)).meta).toMatchObject({ deviceName: 'Safari on iOS', deviceType: 'mobile' });
  });

  it('names an unknown device when there is no user agent', async () => {
    const { browser } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/in');
    expect((await seenBy(ada)).meta).toEqual({
      ip: '127.0.0.1',
      userAgent: null,
      deviceName: 'Unknown device',
      deviceType: 'unknown',
    });
  });

  it('cuts the user agent at 512 characters', async () => {
    const { browser } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/in', {}, { 'user-agent': `x${'y'.repeat(600)}` });
    expect((await seenBy(ada)).meta['userAgent']).toBe(`x${'y'.repeat(511)}`);
  });

  it('stays that of the sign-in when the session is used from elsewhere', async () => {
    const { browser } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/in', {}, { 'user-agent': CHROME });
    await ada.post('/do/set', { n: 1 }, { 'user-agent': IPHONE });
    expect((await seenBy(ada)).meta).toMatchObject({ userAgent: CHROME });
  });

  it('is that of the sign-in, not that of the anonymous session before', async () => {
    const { browser } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/set', { n: 1 }, { 'user-agent': IPHONE });
    expect((await seenBy(ada)).meta).toMatchObject({ deviceType: 'mobile' });
    await ada.post('/do/in', {}, { 'user-agent': CHROME });
    expect((await seenBy(ada)).meta).toMatchObject({ userAgent: CHROME, deviceType: 'desktop' });
  });

  it('holds what the `meta` option and then `authenticate` add, each over the default', async () => {
    const { browser } = await open({
      options: {
        meta: (request: { headers: Record<string, string> }) => ({
          country: request.headers['x-country'],
          ip: null,
          via: 'option',
        }),
      },
      routes: {
        ...BASICS,
        passkey: ({ session }) => session.authenticate('ada', { meta: { via: 'passkey', at: new Date(0) } }),
      },
    });
    const ada = browser();
    await ada.post('/do/passkey', {}, { 'x-country': 'NZ' });
    expect((await seenBy(ada)).meta).toEqual({
      ip: null,
      userAgent: null,
      deviceName: 'Unknown device',
      deviceType: 'unknown',
      country: 'NZ',
      via: 'passkey',
      at: '1970-01-01T00:00:00.000Z',
    });
  });

  it('that is not JSON, or too large, refuses the sign-in', async () => {
    const { browser, storage } = await open({
      routes: {
        big: ({ session }) => session.authenticate('ada', { meta: { note: 'x'.repeat(5000) } }),
        odd: ({ session }) => session.authenticate('ada', { meta: { id: 1n } }),
      },
    });
    const ada = browser();
    expect(refusal(await ada.post('/do/big'))).toEqual({ status: 413, code: 'session_too_large' });
    expect(refusal(await ada.post('/do/odd'))).toEqual({ status: 500, code: 'session_data_invalid' });
    expect(rowsOf(storage)).toEqual([]);
    expect(await ada.cookie()).toBeUndefined();
  });

  it.each<[what: string, meta: () => object]>([
    ['holds what is not JSON', () => ({ seen: new Map() })],
    ['is async, so that nothing of it would be kept,', async () => ({ country: 'NZ' })],
    ['gives a list', () => ['NZ']],
  ])('of a `meta` option that %s refuses the sign-in too', async (_what, meta) => {
    const { browser, storage } = await open({ routes: BASICS, options: { meta } });
    const reply = await browser().post('/do/in');
    expect(refusal(reply)).toEqual({ status: 500, code: 'session_data_invalid' });
    expect(rowsOf(storage)).toEqual([]);
  });

  describe('is cut to fit when the client’s own headers are long', () => {
    const LONG = 'x'.repeat(3_000);

    it.each([
      ['quotes, each of which JSON doubles', '"'.repeat(512)],
      ['characters of two bytes', 'é'.repeat(512)],
      ['a name that is a prototype’s', '__proto__/1 constructor/2 toString/3'],
      ['more than is read', `Mozilla/5.0 ${'('.repeat(4_000)}`],
    ])('user agent of %s', async (_what, agent) => {
      const { browser } = await open({ routes: BASICS });
      const ada = browser();
      expect((await ada.post('/do/in', {}, { 'user-agent': agent })).status).toBe(200);
      const received = Buffer.from(agent).toString('latin1'); // Node sends UTF-8, and reads headers as Latin-1
      expect((await seenBy(ada)).meta['userAgent']).toBe(received.slice(0, 512));
    });

    it('address, where a proxy is trusted that passes on whatever a client says', async () => {
      const { browser, events } = await open({ trustProxy: true, routes: BASICS });
      const ada = browser();
      expect((await ada.post('/do/in', {}, { 'x-forwarded-for': LONG.repeat(3) })).status).toBe(200);
      const { ip } = (await seenBy(ada)).meta;
      expect(String(ip).length).toBeLessThanOrEqual(64);
      for (const event of events) expect(JSON.stringify(event).length).toBeLessThan(300);
    });

    it('headers that the `meta` option keeps: the longest first, and short ones stay', async () => {
      const { browser } = await open({
        routes: { ...BASICS, keep: ({ session }) => void (session.data.count = 1) },
        options: {
          meta: ({ headers }: { headers: Record<string, string> }) => ({
            country: headers['x-country'],
            path: { from: headers['referer'], languages: [headers['accept-language']] },
          }),
        },
      });
      const headers = { 'x-country': 'NZ', 'accept-language': LONG, referer: LONG };
      for (const path of ['/do/in', '/do/keep']) {
        const ada = browser();
        expect((await ada.post(path, {}, headers)).status).toBe(200);
        const { meta } = await seenBy(ada);
        const { from, languages } = meta['path'] as { from: string; languages: [string] };
        expect(meta).toMatchObject({ ip: '127.0.0.1', country: 'NZ', deviceName: 'Unknown device' });
        expect([from, ...languages]).toEqual([LONG.slice(0, from.length), LONG.slice(0, from.length)]);
        const size = Buffer.byteLength(JSON.stringify(meta));
        expect([size > 4_090, size <= 4_096]).toEqual([true, true]);
      }
    });

    it('headers that the `meta` option keeps all of: what is too much is left out', async () => {
      const { browser } = await open({
        routes: BASICS,
        options: { meta: ({ headers }: { headers: object }) => ({ country: 'NZ', headers }) },
      });
      const names = Array.from({ length: 100 }, (_, n) => [`x-${'n'.repeat(60)}-${n}`, 'v']);
      const ada = browser();
      expect((await ada.post('/do/in', {}, Object.fromEntries(names) as Record<string, string>)).status).toBe(
        200,
      );
      const { meta } = await seenBy(ada);
      expect(meta).toMatchObject({ ip: '127.0.0.1', country: 'NZ' });
      expect(meta).not.toHaveProperty('headers');
    });

    it('but not what `authenticate` was given, which stays whole or is refused', async () => {
      const { browser } = await open({
        routes: {
          ...BASICS,
          large: ({ session }) => session.authenticate('ada', { meta: { sid: 's'.repeat(4_000) } }),
        },
      });
      const ada = browser();
      expect((await ada.post('/do/large', {}, { 'user-agent': LONG })).status).toBe(200);
      expect((await seenBy(ada)).meta['sid']).toBe('s'.repeat(4_000));
    });
  });

  it.each([
    ['<b>x</b>', 'Unknown device'],
    ['<b>x</b>/1.0 Version/2', 'Unknown device'],
    ['"onload=alert(1)/2 Version/9', 'Unknown device'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) <script>/1', 'Mozilla on macOS'],
  ])('has a plain name of the device, without the markup of %s', async (agent, name) => {
    const { browser } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/in', {}, { 'user-agent': agent });
    expect((await seenBy(ada)).meta['deviceName']).toBe(name);
  });
});
