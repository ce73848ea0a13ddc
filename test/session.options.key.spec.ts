import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { SessionModule, type SessionOptions, SessionStore } from 'nest-sessions';
import { createTestSession, MemorySessionBackend } from 'nest-sessions/testing';
import { closeApps, http, KEY, logIn, OTHER_KEY, startApp } from './support/nest-app.js';

const backend = MemorySessionBackend;
const SECRET = 'correct-horse-battery-staple';

afterEach(closeApps);

/** The error of an app that does not start with such a key, as the log would show it. */
async function failure(options: object): Promise<{ message: string; printed: string }> {
  const imports = [SessionModule.forRootAsync({ useFactory: () => options, backend })];
  const error: unknown = await startApp({ imports }).then(
    () => new Error('the app has started'),
    (cause: unknown) => cause,
  );
  return { message: (error as Error).message, printed: inspect(error, { depth: 9, showHidden: true }) };
}

/** Runs `work` with that NODE_ENV. */
async function inEnvironment<T>(name: string, work: () => Promise<T>): Promise<T> {
  const before = process.env['NODE_ENV'];
  process.env['NODE_ENV'] = name;
  try {
    return await work();
  } finally {
    process.env['NODE_ENV'] = before;
  }
}

const appWith = (options: SessionOptions) =>
  startApp({ imports: [SessionModule.forRoot({ backend: new MemorySessionBackend(), ...options })] });

describe('the `key` option', () => {
  it.each<[string, SessionOptions['key']]>([
    ['a Buffer', KEY],
    ['a Uint8Array', new Uint8Array(KEY)],
    ['base64', KEY.toString('base64')],
    ['base64url', KEY.toString('base64url')],
    ['hex', KEY.toString('hex')],
    ['hex in capitals', KEY.toString('hex').toUpperCase()],
    ['text with a line end, as from a file', `${KEY.toString('base64')}\n`],
    ['a list', [KEY, OTHER_KEY.toString('hex')]],
    ['several in one string', `${KEY.toString('base64url')}, ${OTHER_KEY.toString('base64url')}`],
  ])('may be %s', async (_what, key) => {
    const app = await appWith({ key });
    const cookie = await logIn(app, 'ada');
    expect((await http(app).get('/theme').set('Cookie', cookie)).body).toMatchObject({ userId: 'ada' });
    const { keysInUse } = await app.get(SessionStore).checkHealth();
    const same = await appWith({ key: KEY });
    await logIn(same, 'ada');
    expect((await same.get(SessionStore).checkHealth()).keysInUse).toEqual(keysInUse);
  });

  it('seals with the first of several', async () => {
    const app = await appWith({ key: [OTHER_KEY, KEY] });
    await logIn(app, 'ada');
    const other = await appWith({ key: OTHER_KEY });
    await logIn(other, 'ada');
    const [one, two] = [
      await app.get(SessionStore).checkHealth(),
      await other.get(SessionStore).checkHealth(),
    ];
    expect(one.keysInUse).toEqual(two.keysInUse);
  });
});

describe('without a key', () => {
  it.each<[string, object]>([
    ['undefined', {}],
    ['undefined', { key: undefined }],
    ['null', { key: null }],
    ['an empty string', { key: '' }],
    ['undefined', { plaintext: false }],
  ])(
    'the app does not start, and the error names the usual cause and the remedy: got %s',
    async (got, options) => {
      const { message } = await failure(options);
      expect(message).toContain(`\`key\`: expected the encryption key, 32 bytes, got ${got}.`);
      expect(message).toContain('process.env.SESSION_KEY');
      expect(message).toContain('SessionModule.forRootAsync()');
      expect(message).toContain('`plaintext: true`');
      expect(message).toContain(
        `node -e "console.log(require('crypto').randomBytes(32).toString('base64url'))"`,
      );
    },
  );

  it('the error has a command that makes a key, which works, and no key: logs are kept and read', async () => {
    const { message, printed } = await failure({});
    // The stack names files, whose folder may look like a key.
    expect(printed.replaceAll(process.cwd(), '')).not.toMatch(/[\w+/-]{43}/);
    expect((await failure({})).message).toBe(message);
    const script = /node -e "(.+)"$/m.exec(message)?.[1] ?? 'no command in the message';
    const key = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    const app = await appWith({ key });
    expect(await logIn(app, 'ada')).toMatch(/^__Host-sid=/);
  });

  it('in tests, the error has the line that a setup file needs, which works', async () => {
    const { message } = await failure({});
    const line = message.split('\n').at(-1) ?? '';
    expect(message).toContain('. In tests, set the variable before the app is imported');
    const keyAfter = (environment: object) =>
      execFileSync(process.execPath, ['-p', `${line}; process.env.SESSION_KEY`], {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], ...environment },
      }).trim();
    expect(await logIn(await appWith({ key: keyAfter({}) }), 'ada')).toMatch(/^__Host-sid=/);
    expect(keyAfter({ SESSION_KEY: 'one that is set' })).toBe('one that is set');
    expect(await inEnvironment('development', () => failure({}))).not.toMatchObject({
      message: expect.stringContaining('In tests'),
    });
  });

  it('in production, `plaintext: true` is no way out; `even-in-production` says that it is meant', async () => {
    await inEnvironment('production', async () => {
      expect((await failure({ plaintext: true })).message).toMatch(
        /^`plaintext`: expected a `key` where NODE_ENV is 'production', or 'even-in-production', got true\./,
      );
      const app = await appWith({ plaintext: 'even-in-production' });
      expect(app.get(SessionStore).config.plaintext).toBe(true);
      expect((await createTestSession({ userId: 'ada' })).userId).toBe('ada');
    });
  });

  it('`plaintext: true` is the way out, and excludes a key', async () => {
    const app = await appWith({ plaintext: true });
    await logIn(app, 'ada');
    expect(app.get(SessionStore).config.plaintext).toBe(true);
    for (const plaintext of [true, 'even-in-production']) {
      const { message, printed } = await failure({ plaintext, key: SECRET });
      expect(message).toBe('`plaintext`: expected no `key` beside it, got both. Remove one of them');
      expect(printed).not.toContain(SECRET);
    }
  });
});

describe('a key that cannot be used', () => {
  it.each<[unknown, string]>([
    [Buffer.alloc(31), 'expected 32 bytes, got 31'],
    [new Uint8Array(33), 'expected 32 bytes, got 33'],
    [randomBytes(31).toString('base64'), 'expected 32 bytes as base64, base64url or hex, got 31 bytes'],
    [randomBytes(33).toString('base64url'), 'got 33 bytes'],
    [randomBytes(31).toString('hex'), 'expected 32 bytes as base64, base64url or hex, got '],
    ['not a key!', 'expected 32 bytes as base64, base64url or hex, got other text'],
    [' ', 'got an empty string'],
    [[], 'expected at least one key, got an empty list'],
    [[KEY, ''], '`key[1]`: expected 32 bytes as base64, base64url or hex, got an empty string'],
    [[KEY, null], 'got object'],
    [`abc,${KEY.toString('hex')}`, '`key[0]`: expected 32 bytes as base64, base64url or hex, got 2 bytes'],
    [[KEY, KEY.toString('hex')], 'expected distinct keys, got the same one twice'],
  ])('is refused: %p', async (key, message) => {
    const error = await failure({ key });
    expect(error.message).toMatch(/^`key(\[\d\])?`: /);
    expect(error.message).toContain(message);
  });

  it.each([42, true, { secret: SECRET }, new ArrayBuffer(32)])('is refused: %p', async (key) => {
    expect((await failure({ key })).message).toMatch(/^`key`: expected 32 bytes/);
  });

  it.each<[string, unknown]>([
    ['too short', SECRET],
    ['too long', SECRET.repeat(4)],
    ['not of the alphabet', `${SECRET} !`],
    ['in a list', [KEY, SECRET]],
    ['in a comma-separated string', `${KEY.toString('hex')},${SECRET}`],
    ['twice', [KEY.toString('hex'), KEY.toString('hex')]],
    ['bytes', Buffer.from(SECRET)],
    ['a list in a list', [[SECRET]]],
  ])('is never printed: %s', async (_what, key) => {
    const { message, printed } = await failure({ key });
    expect(message).toMatch(/^`key(\[\d\])?`: /);
    expect(printed).not.toContain(SECRET);
    expect(printed).not.toContain(SECRET.slice(0, 12));
    for (const secret of [KEY, Buffer.from(SECRET)]) {
      expect(printed).not.toContain(secret.toString('hex').slice(0, 12));
      expect(printed).not.toContain(secret.toString('hex', 0, 8).replaceAll(/..(?=.)/g, '$& '));
      expect(printed).not.toContain(secret.toString('base64').slice(0, 12));
    }
  });
});
