import { onEachPlatform } from '../support/open-app.js';
import { BASICS, refusal, seenBy } from '../support/session-routes.js';
import { rowsOf } from '../support/storage.js';

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
});
