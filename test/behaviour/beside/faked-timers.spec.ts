import { jest } from '@jest/globals';
import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { type AppSetup, onEachPlatform } from '../../support/open-app.js';
import { BASICS, dataOf, seenBy, userOf } from '../../support/session-routes.js';

const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
const newFile = (): string => join(folder, `${++files}.sqlite`);

const STORAGES: readonly (readonly [string, () => AppSetup])[] = [
  ['memory', () => ({})],
  ['sqlite3', () => ({ database: { type: 'sqlite', database: newFile() } })],
  ['better-sqlite3', () => ({ database: { type: 'better-sqlite3', database: newFile() } })],
];

const FAKES = [
  ['with the defaults of Jest', { doNotFake: [] }],
  ['with those of Vitest and Sinon', { doNotFake: ['nextTick', 'queueMicrotask'] }],
] as const;

describe.each(FAKES)('timers that are faked, %s,', (_whose, { doNotFake }) => {
  describe.each(STORAGES)('on %s', (_name, storage) => {
    describe.each(['guard', 'middleware'] as const)("with mount: '%s'", (mount) => {
      onEachPlatform('hold no request up', (open) => {
        it('that signs in, changes its session, reads it, rotates, lists and signs out', async () => {
          const { browser } = await open({
            ...storage(),
            options: { mount },
            routes: {
              ...BASICS,
              rotate: ({ session }) => session.rotate(),
              update: ({ session }) => session.update((data) => void (data.count = (data.count ?? 0) + 1)),
              raw: ({ session }, response) => {
                session.data.theme = 'raw';
                response.end('answered');
              },
            },
          });
          jest.useFakeTimers({ doNotFake: [...doNotFake] });
          try {
            const visitor = browser();
            expect((await visitor.get('/plain')).status).toBe(200);
            expect((await visitor.post('/do/in?user=ada')).setCookies).toHaveLength(1);
            await visitor.post('/do/set', { theme: 'dark' });
            await Promise.all([visitor.post('/do/update'), visitor.post('/do/update')]);
            expect(await dataOf(visitor)).toEqual({ theme: 'dark', count: 2 });
            expect((await visitor.get('/raw/raw')).text).toBe('answered');
            expect((await visitor.post('/do/rotate')).setCookies).toHaveLength(1);
            expect((await visitor.get('/do/list')).json()).toHaveLength(1);
            expect((await seenBy(visitor)).data).toEqual({ theme: 'raw', count: 2 });
            await visitor.post('/do/out');
            expect(await userOf(visitor)).toBeNull();
          } finally {
            jest.useRealTimers(); // or the app could not be closed
          }
        });
      });
    });
  });
});
