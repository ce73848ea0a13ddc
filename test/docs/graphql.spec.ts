import { join } from 'node:path';
import { MercuriusDriver } from '@nestjs/mercurius';
import { ROOT } from './compile.js';
import { Document, type Snippet } from './document.js';
import { cookieLineOf, cookieOf, hashCheaply, openPage, type PageApp, type Running } from './page-app.js';

const ADA = { email: 'ada@example.com', password: 'correct horse battery' };
const SIGN_IN = `mutation { signIn(email: "${ADA.email}", password: "${ADA.password}") }`;

let page: PageApp;

afterEach(() => page.close());

/** The page's module with the driver of Mercurius, as its table of drivers says. */
function withMercurius(file: Snippet): Snippet {
  if (file.file !== 'app.module.ts') return hashCheaply(file);
  const code = file.code
    .replace(/import \{ ApolloDriver.*\n/, "import { MercuriusDriver } from '@nestjs/mercurius';\n")
    .replace('forRoot<ApolloDriverConfig>', 'forRoot')
    .replace('driver: ApolloDriver', `driver: ${MercuriusDriver.name}`);
  return { ...file, code };
}

const ask = ({ post }: Running, query: string, cookie?: string) => post('/graphql', { query }, cookie);

describe.each([
  ['Apollo', 'Express'],
  ['Apollo', 'Fastify'],
  ['Mercurius', 'Fastify'],
] as const)('the app with %s on %s', (driver, platform) => {
  beforeEach(() => {
    page = openPage('docs/graphql.md', driver === 'Mercurius' ? { edit: withMercurius } : {});
  });

  it('signs in, reads who is signed in, and signs out', async () => {
    const running = await page.start({}, platform);
    await running.post('/sign-up', ADA).expect(201);
    const signedIn = await ask(running, SIGN_IN).expect(200);
    expect(cookieLineOf(signedIn)).toMatch(/^__Host-sid=.*HttpOnly/);
    const { signIn: id } = (signedIn.body as { data: { signIn: string } }).data;
    const cookie = cookieOf(signedIn);
    const read = await ask(running, '{ me devices orders { id address } }', cookie).expect(200);
    expect(read.body).toEqual({
      data: { me: id, devices: 2, orders: [{ id: 7, address: `Order 7 of ${id}` }] },
    });
    await ask(running, 'mutation { signOut }', cookie).expect(200, { data: { signOut: true } });
    const out = await ask(running, '{ me }', cookie).expect(200);
    expect(out.body).toMatchObject({ errors: [{ extensions: { code: 'authentication_required' } }] });
  });

  it('answers as the page shows, field by field', async () => {
    const running = await page.start({}, platform);
    const { text } = Document.read(join(ROOT, 'docs/graphql.md'));
    const shown: unknown = JSON.parse(/```json\n([^]*?)```/.exec(text)?.[1] ?? '');
    expect((await ask(running, '{ me orders { id } }')).body).toEqual(shown);
    const field = await ask(running, '{ orders { id address } }');
    expect(field.body).toMatchObject({
      data: { orders: [{ id: 7, address: null }] },
      errors: [{ extensions: { code: 'authentication_required' } }],
    });
  });

  it('is tested as the page shows', async () => {
    const { app } = await page.start({}, platform);
    const tests = await page.exports<{
      asksWho(app: unknown): Promise<object>;
      signsOut(users: unknown): Promise<boolean>;
    }>('account.resolver.spec.ts');
    expect(await tests.asksWho(app)).toEqual({ data: { me: 'ada' } });
    expect(await tests.signsOut(null)).toBe(false);
  });
});
