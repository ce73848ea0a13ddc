import { SessionModule, SessionOptionsError, type SessionOptions } from 'nest-sessions';
import { onEachPlatform } from './support/open-app.js';
import { BASICS } from './support/session-routes.js';

const COOKIES: readonly SessionOptions['cookie'][] = [
  undefined,
  {},
  { name: 'shop' },
  { name: '__Host-shop' },
  { domain: 'app.test' },
  { path: '/do' },
  { secure: false },
  { name: 'shop', secure: false },
];

onEachPlatform('SessionModule.cookieName()', (open) => {
  it.each(COOKIES.map((cookie) => ({ cookie })))(
    'is the name that responses set, with %j',
    async (options) => {
      const { browser } = await open({ routes: BASICS, options });
      const { setCookies } = await browser().get('/do/in');
      expect(setCookies.map((line) => line.split('=')[0])).toEqual([SessionModule.cookieName(options)]);
    },
  );
});

describe('SessionModule.cookieName()', () => {
  it('takes no options for the defaults', () => {
    expect(SessionModule.cookieName()).toBe('__Host-sid');
  });

  it('refuses what the module would refuse', () => {
    expect(() => SessionModule.cookieName({ cookie: { name: 'a b' } })).toThrow(SessionOptionsError);
  });
});
