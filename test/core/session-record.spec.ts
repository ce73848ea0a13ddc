import { instanceToPlain } from 'class-transformer';
import { inspect } from 'node:util';
import { openStore } from './support/open-store.js';

describe('a record', () => {
  it('leaves its data out when it is printed, in every form', async () => {
    const { store } = openStore();
    const { session } = await store.create({ ip: '192.0.2.1' }, 'ada', { secret: 'xyzzy' });
    const forms = [
      JSON.stringify(session),
      JSON.stringify({ nested: [session] }),
      inspect(session),
      inspect({ nested: { session } }, { depth: 9, showHidden: true }),
      inspect(new Map([['session', session]])),
      inspect(session, { showHidden: true, customInspect: false, depth: null }),
      JSON.stringify(instanceToPlain({ nested: [session] })),
      JSON.stringify(Object.entries(session)),
      JSON.stringify(Object.assign({}, session)),
      inspect(structuredClone(Object.assign({}, session)), { depth: null }),
      inspect(structuredClone(session), { depth: null }),
      JSON.stringify(Reflect.ownKeys(session)),
    ];
    for (const text of forms) {
      expect(text).not.toContain('xyzzy');
      expect(text).not.toContain('secret');
    }
    expect(JSON.parse(JSON.stringify(session))).toEqual({
      id: session.id,
      userId: 'ada',
      meta: { ip: '192.0.2.1' },
      integrity: 'intact',
      createdAt: '2030-01-01T12:00:00.000Z',
      authenticatedAt: '2030-01-01T12:00:00.000Z',
      lastActiveAt: '2030-01-01T12:00:00.000Z',
      expiresAt: '2030-01-02T12:00:00.000Z',
      absoluteExpiresAt: '2030-01-31T12:00:00.000Z',
    });
    expect(inspect(session)).toMatch(/^SessionRecord \{[^]*userId: 'ada'/);
    expect(session.data).toEqual({ secret: 'xyzzy' });
  });
});
