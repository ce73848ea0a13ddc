import { SessionTamperedError } from '../../src/core/session-errors.js';
import { HOUR, openStore, START } from './support/open-store.js';

describe('what is at rest', () => {
  it('shows neither token, data, address nor user agent', async () => {
    const { store, backend } = openStore();
    const meta = {
      ip: '203.0.113.77',
      userAgent: 'Mozilla/5.0 (X11) Firefox',
      deviceName: 'Firefox on Linux',
    };
    const { session, token } = await store.create(meta, 'ada', { secret: 'xyzzy-plugh' });
    await store.flush(session.id, { secret: 'xyzzy-plover' }, START, START + HOUR);
    const secret = token.reveal();
    const { payload, ...columns } = backend.row(session.id);
    const bytes = Buffer.concat([payload, Buffer.from(JSON.stringify(columns))]);
    const hidden = [
      'xyzzy',
      'plover',
      'secret',
      '203.0.113',
      'Mozilla',
      'Firefox',
      'userAgent',
      secret,
      secret.slice(26, 60),
    ];
    for (const text of hidden) {
      for (const form of ['utf8', 'hex', 'base64'] as const) {
        expect(bytes.includes(Buffer.from(text).toString(form))).toBe(false);
      }
    }
    expect(bytes.includes(session.id)).toBe(true);
  });

  it('does not open when copied to another row, of another user or the same, or when the owner is changed', async () => {
    const { store, backend } = openStore();
    const adas = await store.create({}, 'ada', { isAdmin: true });
    const bobs = await store.create({}, 'bob');
    const adasOther = await store.create({}, 'ada');
    const { payload } = backend.row(adas.session.id);
    for (const { session, token } of [bobs, adasOther]) {
      backend.tamper(session.id, { payload });
      await expect(store.load(session.id)).rejects.toThrow(SessionTamperedError);
      expect(await store.readByToken(token)).toBeNull();
    }
    backend.tamper(adas.session.id, { userId: 'bob' });
    await expect(store.load(adas.session.id)).rejects.toThrow(SessionTamperedError);
    backend.plant({ ...backend.row(adas.session.id), id: 'copy', userId: 'ada' });
    await expect(store.load('copy')).rejects.toThrow(SessionTamperedError);
  });

  it('differs for equal data in two sessions', async () => {
    const { store, backend } = openStore();
    const [one, two] = [await store.create({}, 'ada', { n: 1 }), await store.create({}, 'ada', { n: 1 })];
    const [a, b] = [backend.row(one.session.id).payload, backend.row(two.session.id).payload];
    expect(a.subarray(17).equals(b.subarray(17))).toBe(false);
  });
});

describe('without encryption, a payload', () => {
  it.each(['', 'null', '{}', '[1,2', 'junk'])(
    'that reads %j is SessionTamperedError, not a crash',
    async (text) => {
      const { store, backend } = openStore({ plaintext: true });
      const { session, token } = await store.create({}, 'ada');
      backend.tamper(session.id, { payload: Buffer.from(`\0${text}`) });
      await expect(store.load(session.id)).rejects.toThrow(SessionTamperedError);
      expect(await store.readByToken(token)).toBeNull();
    },
  );
});
