import { IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { resolveHttpOptions, type SessionHttpOptions } from '../../../src/http/http-options.js';
import { type ServedSession, setSessionHeaders } from '../../../src/http/response/session-headers.js';
import { openStore } from '../../core/support/open-store.js';

/** A response that holds `headers`, as it is when the session has set its own. */
async function respond(
  headers: OutgoingHttpHeaders,
  { cookie, ...served }: Omit<Partial<ServedSession>, 'cookie'> & { cookie?: 'set' | 'remove' },
  options: SessionHttpOptions = {},
) {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value ?? '');
  const { store, clock } = openStore();
  const { token } = await store.create({}, 'ada');
  const [row] = await store.parts.backend.list({
    userId: 'ada',
    now: clock.now(),
    orderBy: 'createdAt',
    limit: 1,
  });
  const warnings: string[] = [];
  setSessionHeaders(response, {
    options: resolveHttpOptions(options),
    request: { headers: {} },
    now: clock.now(),
    logger: { warn: (message: string) => void warnings.push(message), error: () => undefined },
    cookie: cookie === 'set' ? { kind: 'set', token, row: row! } : cookie ? { kind: 'remove' } : null,
    isRead: false,
    userId: null,
    isBearer: false,
    within: null,
    failure: null,
    ...served,
  });
  return { response, warnings, token };
}

const OF_ADA = { isRead: true, userId: 'ada' };
const NO_STORE = 'no-store';

describe('what caches are told', () => {
  it.each<[string, Parameters<typeof respond>[1], string | undefined, string | undefined]>([
    ['nobody read the session', {}, undefined, undefined],
    ['nobody read the session of a user', { userId: 'ada' }, undefined, undefined],
    ['a session of nobody was read', { isRead: true }, undefined, 'Cookie'],
    ['a session of a user was read', OF_ADA, NO_STORE, 'Cookie'],
    ['a cookie is set', { cookie: 'set' }, NO_STORE, 'Cookie'],
    ['a cookie is removed', { cookie: 'remove' }, NO_STORE, 'Cookie'],
  ])('where %s', async (_, served, cacheControl, vary) => {
    const { response } = await respond({}, served);
    expect([response.getHeader('Cache-Control'), response.getHeader('Vary')]).toEqual([cacheControl, vary]);
    const { response: own } = await respond({ 'Cache-Control': 'private, max-age=60' }, served);
    expect(own.getHeader('Cache-Control')).toBe(served.cookie ? NO_STORE : 'private, max-age=60');
  });

  it.each(['CDN-Cache-Control', 'Akamai-CDN-Cache-Control', 'Surrogate-Control', 'X-Accel-Expires'])(
    'in %s, which some obey instead, is gone with a cookie, and stays without',
    async (name) => {
      const headers = { [name]: 'max-age=60', 'X-Own': '1' };
      for (const cookie of ['set', 'remove'] as const) {
        const { response } = await respond(headers, { cookie });
        expect([response.hasHeader(name), response.hasHeader('X-Own')]).toEqual([false, true]);
      }
      expect((await respond(headers, OF_ADA)).response.getHeader(name)).toBe('max-age=60');
    },
  );
});

describe('what the response varies by', () => {
  const BEARER: SessionHttpOptions = { transport: ['cookie', 'bearer'] };

  it.each<[by: OutgoingHttpHeaders[string], options: SessionHttpOptions, then: OutgoingHttpHeaders[string]]>([
    [undefined, {}, 'Cookie'],
    [undefined, BEARER, 'Cookie, Authorization'],
    ['', {}, 'Cookie'],
    ['', BEARER, 'Cookie, Authorization'],
    ['Accept', {}, 'Accept, Cookie'],
    ['Accept ,Origin', BEARER, 'Accept ,Origin, Cookie, Authorization'],
    ['cookie', {}, 'cookie'],
    ['Accept,  COOKIE ', {}, 'Accept,  COOKIE '],
    ['Accept, cookie', BEARER, 'Accept, cookie, Authorization'],
    ['authorization', BEARER, 'authorization, Cookie'],
    [['Accept', 'Cookie'], {}, ['Accept', 'Cookie']],
    [['Accept', 'Origin'], {}, 'Accept,Origin, Cookie'],
    ['*', {}, '*'],
    ['Accept, *', BEARER, 'Accept, *'],
  ])('is %j with our headers beside it, of options %j: %j', async (by, options, then) => {
    const { response } = await respond(by === undefined ? {} : { Vary: by }, { isRead: true }, options);
    expect(response.getHeader('Vary')).toEqual(then);
  });
});

describe('Set-Cookie', () => {
  it.each<[OutgoingHttpHeaders[string], readonly string[]]>([
    [undefined, []],
    ['theme=dark', ['theme=dark']],
    [
      ['theme=dark', 'lang=en'],
      ['theme=dark', 'lang=en'],
    ],
  ])('of the app stays, and ours follows: %j', async (own, kept) => {
    const headers = own === undefined ? {} : { 'Set-Cookie': own };
    const { response: set, token } = await respond(headers, { cookie: 'set' });
    expect(set.getHeader('Set-Cookie')).toEqual([
      ...kept,
      `__Host-sid=${token.reveal()}; Max-Age=2592000; Path=/; HttpOnly; Secure; SameSite=Lax`,
    ]);
    const { response: removed } = await respond(headers, { cookie: 'remove' });
    expect(removed.getHeader('Set-Cookie')).toEqual([
      ...kept,
      '__Host-sid=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax',
    ]);
    expect((await respond(headers, OF_ADA)).response.getHeader('Set-Cookie')).toEqual(own);
  });

  it('that browsers will not keep is warned of when it is set, if it is Secure', async () => {
    const request = { protocol: 'http', headers: { 'x-forwarded-proto': 'https' } };
    const warningsWith = async (cookie: 'set' | 'remove', of: ServedSession['request'], secure: boolean) =>
      (await respond({}, { cookie, request: of }, { cookie: { secure } })).warnings.length;
    expect(await warningsWith('set', request, true)).toBe(1);
    expect(await warningsWith('set', request, false)).toBe(0);
    expect(await warningsWith('remove', request, true)).toBe(0);
    expect(await warningsWith('set', { headers: {} }, true)).toBe(0);
  });
});

describe('a challenge to authenticate', () => {
  it.each<[SessionHttpOptions['transport'], string | undefined]>([
    [['cookie'], undefined],
    [['cookie', 'bearer'], 'Bearer realm="session", error="invalid_token"'],
  ])('goes to clients that may authenticate by %j: %s', async (transport, expected) => {
    const response = new ServerResponse(new IncomingMessage(new Socket()));
    response.statusCode = 401;
    setSessionHeaders(response, {
      options: resolveHttpOptions({ transport }),
      request: { headers: {} },
      now: 0,
      logger: { warn: () => undefined, error: () => undefined },
      cookie: null,
      isRead: false,
      userId: null,
      isBearer: true,
      within: null,
      failure: null,
    });
    expect(response.getHeader('WWW-Authenticate')).toBe(expected);
  });
});
