import { KeyRing } from '../../../src/core/key-ring.js';
import { TokenIssuer } from '../../../src/core/session-token.js';
import { type CookieOptions, SessionCookie } from '../../../src/http/response/session-cookie.js';

describe('the values of our cookie', () => {
  const valuesIn = (header: string | string[] | undefined) =>
    new SessionCookie({ secure: false }).read(header);

  it.each<[header: string | string[] | undefined, values: readonly string[]]>([
    [undefined, []],
    ['', []],
    ['x=1; y=2', []],
    ['sid=a', ['a']],
    ['sid=', ['']],
    ['sid=  ', ['']],
    ['sid=a=b', ['a=b']],
    ['sid', []],
    ['sid; x=sid', []],
    ['sid1', []],
    ['sid; sidx; sid=a', ['a']],
    ['=sid', []],
    ['sidx=a; xsid=b; SID=c', []],
    ['sid=a; sid=b', ['a', 'b']],
    ['x=1; sid=a;y=2', ['a']],
    [
      ['x=1; sid=a', 'sid=b'],
      ['a', 'b'],
    ],
    [[], []],
    [' \t sid \t = \t a \t ; x=1', ['a']],
    ['sid=a b', ['a b']],
    ['sid=\u00a0a', ['\u00a0a']],
    ['\u00a0sid=a', []],
    ['sid="a"', ['a']],
    ['sid=""', ['']],
    ['sid="', ['"']],
    ['sid="a', ['"a']],
    ['sid=a"', ['a"']],
    ['sid=" a "', [' a ']],
    ['sid=1', ['1']],
  ])('in %j are %j', (header, values) => {
    expect(valuesIn(header)).toEqual(values);
  });

  it('are not looked for where no cookie has its name: that costs one search', () => {
    const header = {
      includes: (name: string) => (expect(name).toBe('sid'), false),
    } as unknown as string;
    expect(valuesIn(header)).toEqual([]);
  });
});

describe('the name of our cookie', () => {
  it.each<[string, CookieOptions]>([
    ['__Host-sid', {}],
    ['__Host-shop', { name: 'shop' }],
    ['__Host-shop', { name: '__Host-shop' }],
    ['__Secure-sid', { domain: 'example.com' }],
    ['__Secure-sid', { path: '/shop' }],
    ['__Secure-sid', { domain: 'example.com', path: '/shop' }],
    ['sid', { secure: false }],
    ['sid', { secure: false, domain: 'example.com' }],
  ])('is %s with %j', (name, options) => {
    const cookie = new SessionCookie(options);
    expect(cookie.name).toBe(name);
    expect(cookie.remove()).toMatch(new RegExp(`^${name}=; Max-Age=0; .*HttpOnly`));
  });
});

describe('the path of our cookie', () => {
  it('may be as long as browsers take it, and no longer', () => {
    const path = `/${'p'.repeat(1023)}`;
    expect(new SessionCookie({ path }).attributes.path).toBe(path);
    expect(() => new SessionCookie({ path: `${path}p` })).toThrow(/a path of at most 1024 characters/);
  });
});

describe('how long our cookie lives', () => {
  const token = new TokenIssuer(KeyRing.plaintext()).issue('01J00000000000000000000000', {
    generation: 0,
    kin: undefined,
  });

  it.each([
    [60_000, 'Max-Age=60; '],
    [59_001, 'Max-Age=60; '],
    [1, 'Max-Age=1; '],
    [0, 'Max-Age=1; '],
    [-5_000, 'Max-Age=1; '],
  ])('%i ms before the absolute expiry: %s', (left, maxAge) => {
    const cookie = new SessionCookie();
    const row = { persistent: true, absoluteExpiresAt: 1_000_000 + left };
    expect(cookie.issue(token, row, 1_000_000)).toBe(
      `__Host-sid=${token.reveal()}; ${maxAge}Path=/; HttpOnly; Secure; SameSite=Lax`,
    );
    expect(cookie.issue(token, { ...row, persistent: false }, 1_000_000)).not.toContain('Max-Age');
  });
});
