import { type CookieOptions, SessionModule } from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import { closeApps, http, KEY, PLATFORMS, startApp, startupError } from './support/nest-app.js';

const backend = MemorySessionBackend;

const failure = (cookie: unknown) =>
  startupError({
    imports: [
      SessionModule.forRootAsync({
        useFactory: () => ({ key: KEY, cookie: cookie as CookieOptions }),
        backend,
      }),
    ],
  });

afterEach(closeApps);

describe.each(PLATFORMS)('the cookie on %s', (platform) => {
  const setCookie = async (cookie?: CookieOptions) => {
    const app = await startApp({ platform, imports: [SessionModule.forRoot({ key: KEY, backend, cookie })] });
    const response = await http(app).post('/login').send({ user: 'ada' }).expect(201);
    const [name, ...attributes] = (response.get('Set-Cookie') ?? [])
      .join(' | ')
      .replace(/=[^;]*/, '')
      .split('; ');
    return { name, attributes };
  };

  it('is __Host-sid, HttpOnly, Secure, SameSite=Lax and for every path, until the absolute expiry', async () => {
    expect(await setCookie()).toEqual({
      name: '__Host-sid',
      attributes: ['Max-Age=2592000', 'Path=/', 'HttpOnly', 'Secure', 'SameSite=Lax'],
    });
  });

  it.each<[string, CookieOptions]>([
    ['__Host-sid', {}],
    ['__Host-cart', { name: 'cart' }],
    ['__Host-sid', { name: '__Host-sid' }],
    ['__Secure-sid', { domain: 'example.com' }],
    ['__Secure-sid', { path: '/shop' }],
    ['__Secure-cart', { name: '__Secure-cart', domain: 'example.com' }],
    ['sid', { secure: false }],
    ['sid', { secure: false, domain: 'example.com' }],
    ['cart', { secure: false, name: 'cart' }],
  ])('is called %s with %p', async (name, cookie) => {
    expect((await setCookie(cookie)).name).toBe(name);
  });

  it('has the attributes that were asked for', async () => {
    const cookie = { domain: 'example.com', path: '/shop', sameSite: 'none', partitioned: true } as const;
    expect((await setCookie({ ...cookie, persistent: false })).attributes).toEqual([
      'Domain=example.com',
      'Path=/shop',
      'HttpOnly',
      'Secure',
      'Partitioned',
      'SameSite=None',
    ]);
  });
});

describe('a cookie option that cannot be used', () => {
  it.each<[unknown, string | RegExp]>([
    [
      { sameSite: 'none', secure: false },
      "`cookie.sameSite`: expected 'none' only with `secure: true` (browsers refuse it otherwise), got `secure: false`",
    ],
    [
      { partitioned: true, secure: false },
      '`cookie.partitioned`: expected `secure: true` beside it (browsers refuse it otherwise), got `secure: false`',
    ],
    [{ sameSite: 'Lax' }, "`cookie.sameSite`: expected 'lax' or 'strict' or 'none', got 'Lax'"],
    [{ sameSite: true }, "`cookie.sameSite`: expected 'lax' or 'strict' or 'none', got true"],
    [{ secure: 'auto' }, "`cookie.secure`: expected true or false, got 'auto'"],
    [{ persistent: 1 }, '`cookie.persistent`: expected true or false, got 1'],
    [{ partitioned: null }, '`cookie.partitioned`: expected true or false, got null'],
    [{ httpOnly: false }, /^Unknown `cookie` option: expected one of .*, got 'httpOnly'$/],
    ['sid', "`cookie`: expected an object, got 'sid'"],
    [null, '`cookie`: expected an object, got null'],
  ])('is refused: %p', async (cookie, message) => {
    const error = (await failure(cookie)).replace('SessionOptionsError: ', '');
    if (typeof message === 'string') expect(error).toBe(message);
    else expect(error).toMatch(message);
  });

  it.each(['', 'a b', 'a;b', 'a=b', 'a,b', 'naïve', 'a\nb', 'a\0', '"sid"', 'a'.repeat(65), 5])(
    'is refused: the name %p',
    async (name) => {
      expect(await failure({ name })).toContain(
        '`cookie.name`: expected a cookie name of at most 64 characters, got ',
      );
    },
  );

  it.each(['', 'shop', '/a;b', '/a\nb', '/a\0', '/ü', 5, ['/']])('is refused: the path %p', async (path) => {
    expect(await failure({ path })).toContain("`cookie.path`: expected a path such as '/', got ");
  });

  it.each([
    '',
    'exa mple.com',
    'example.com:80',
    'https://example.com',
    'a..b',
    'a;b',
    'a.com\n',
    'bücher.example',
  ])('is refused: the domain %p', async (domain) => {
    expect(await failure({ domain })).toContain('`cookie.domain`: expected a host name, got ');
  });

  it.each<[CookieOptions, string]>([
    [{ name: '__Host-sid', domain: 'example.com' }, "`secure: true`, `path: '/'` and no `domain`"],
    [{ name: '__Host-sid', path: '/shop' }, "`secure: true`, `path: '/'` and no `domain`"],
    [{ name: '__Host-sid', secure: false }, "`secure: true`, `path: '/'` and no `domain`"],
    [{ name: '__host-sid', domain: 'example.com' }, "`secure: true`, `path: '/'` and no `domain`"],
    [{ name: '__Secure-sid', secure: false }, '`secure: true`, and a `domain` or another `path`'],
    [{ name: '__Secure-sid' }, '`secure: true`, and a `domain` or another `path`'],
  ])('is refused: a prefix that the attributes do not allow, as in %p', async (cookie, needs) => {
    const error = await failure(cookie);
    expect(error).toContain(`\`cookie.name\`: expected ${needs} with the prefix`);
    expect(error).toContain('Leave the prefix out: it follows them');
  });

  // Accepted today; the `cookie` package then throws in every response that sets the cookie.
  it.each([{ domain: 'my_host.example.com' }, { domain: '-a.com' }, { path: '/<b' }])(
    'is refused: %p, which cannot be serialised',
    async (cookie) => {
      expect(await failure(cookie)).toMatch(/^SessionOptionsError: `cookie\.(domain|path)`: expected /);
    },
  );

  it.each([{ domain: 5 }, { domain: true }, { domain: null }, { name: null }])(
    'is refused: %p, which is no text',
    async (cookie) => {
      expect(await failure(cookie)).toMatch(/^SessionOptionsError: `cookie\.(domain|name)`: expected /);
    },
  );
});
