import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { format, inspect } from 'node:util';
import { onEachPlatform, START } from '../../support/open-app.js';
import { BASICS, type Seen } from '../../support/session-routes.js';
import type { TestSession } from '../../support/routes.js';

/** What a console prints of `value`. */
function printed(value: unknown): string {
  let text = '';
  const sink = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const console = new Console(sink);
  console.log(value);
  console.log('%o %O %j', value, value, value);
  console.dir(value, { showHidden: true, depth: null, showProxy: true });
  return text;
}

const WAYS: readonly [name: string, print: (session: TestSession) => string][] = [
  ['JSON.stringify', (session) => JSON.stringify(session)],
  ['util.inspect', (session) => inspect(session)],
  [
    'util.inspect with everything',
    (session) => inspect(session, { showHidden: true, depth: null, getters: true }),
  ],
  ['util.inspect without custom', (session) => inspect(session, { customInspect: false, depth: null })],
  ['util.inspect of something around it', (session) => inspect({ around: [session] }, { depth: null })],
  ['util.format', (session) => format('%s %o %O %j', session, session, session, session)],
  ['console.log', (session) => printed(session)],
  ['string conversion', (session) => Reflect.apply(String, undefined, [session])],
  ['a spread into an object', (session) => JSON.stringify({ ...session })],
];

onEachPlatform('a session that is printed', (open) => {
  it.each(WAYS)('shows neither data nor token by %s', async (_, print) => {
    const texts: string[] = [];
    const { browser, storage } = await open({
      routes: {
        ...BASICS,
        print: async ({ session }) => {
          await session.authenticate('ada', { data: { secret: 'of a customer' } });
          session.flash('info', 'whispered');
          session.data['unsaved'] = 'not yet written';
          texts.push(print(session));
          await session.save();
          texts.push(print(session));
        },
      },
    });
    const ada = browser();
    await ada.post('/do/print');
    const token = (await ada.cookie()) ?? '';
    const id = token.slice(0, 26);
    const row = storage.memory.row(id);
    expect(texts).toHaveLength(2);
    for (const secret of [
      'customer',
      'secret',
      'whispered',
      'not yet',
      'unsaved',
      token,
      token.slice(26, 60),
    ]) {
      for (const text of texts) expect(text).not.toContain(secret);
    }
    for (const text of texts) expect(text).not.toContain(row.tokenHash);
  });

  it('names what may be logged: ids, instants and meta', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        json: ({ session }) => session,
        text: ({ session }) => ({ text: inspect(session) }),
      },
    });
    const ada = browser();
    const { id } = (await ada.post('/do/in')).json<Seen>();
    const now = new Date(START).toISOString();
    expect((await ada.get('/do/json')).json()).toMatchObject({
      id,
      userId: 'ada',
      isNew: false,
      createdAt: now,
      authenticatedAt: now,
      lastActiveAt: now,
      meta: { ip: '127.0.0.1' },
    });
    const { text } = (await ada.get('/do/text')).json<{ text: string }>();
    expect(text).toMatch(/^Session \{/);
    expect(text).toContain(id);
    expect(text).toContain("userId: 'ada'");
  });

  it('is a whole answer when a handler returns it by mistake: nothing but that', async () => {
    const { browser } = await open({ routes: { ...BASICS, json: ({ session }) => session } });
    const ada = browser();
    await ada.post('/do/set', { secret: 'of a customer' });
    const body = (await ada.get('/do/json')).json<object>();
    expect(Object.keys(body).toSorted()).toEqual([
      'authenticatedAt',
      'createdAt',
      'expiresAt',
      'id',
      'isNew',
      'lastActiveAt',
      'meta',
      'userId',
    ]);
  });
});
