import { jest } from '@jest/globals';
import { SessionStore } from '../../src/core/session-store.js';
import { hang, OpenMemoryBackend, WrappedBackend } from './support/backends.js';
import { KEY, openStore, OTHER_KEY, START } from './support/open-store.js';

describe('config', () => {
  it('is the options in force, frozen through and through', () => {
    const { store } = openStore({ ttl: '1h', rotation: { every: '15m' } });
    expect(store.config).toMatchObject({ ttl: 3_600_000, rotation: { every: 900_000, grace: 30_000 } });
    expect(Object.isFrozen(store.config)).toBe(true);
    expect(Object.isFrozen(store.config.rotation)).toBe(true);
    expect(Object.isFrozen(store.config.remember)).toBe(true);
  });

  it('holds no key, in any form', () => {
    const { store } = openStore({ key: [KEY, OTHER_KEY.toString('base64url')] });
    expect(store.config).not.toHaveProperty('key');
    const text = JSON.stringify(store.config);
    for (const encoding of ['hex', 'base64', 'base64url', 'latin1'] as const) {
      expect(text).not.toContain(KEY.toString(encoding));
      expect(text).not.toContain(OTHER_KEY.toString(encoding));
    }
  });
});

describe('initSchema', () => {
  it('can be called again, and by many at once', async () => {
    const { store, backend } = openStore({}, new WrappedBackend(new OpenMemoryBackend()));
    await Promise.all([store.initSchema(), store.initSchema(), store.initSchema()]);
    expect(backend.calls).toEqual(['init']);
    await store.initSchema();
    const { session } = await store.create({}, 'ada');
    await store.initSchema();
    expect(await store.load(session.id)).toEqual(session);
  });

  it('is not needed: the first use does it, once', async () => {
    const { store, backend } = openStore({}, new WrappedBackend(new OpenMemoryBackend()));
    await Promise.all(Array.from({ length: 10 }, () => store.create({}, 'ada')));
    expect(backend.count('init')).toBe(1);
  });
});

describe('close', () => {
  it('waits for touches under way, then releases the backend', async () => {
    const { store, backend } = openStore({}, new WrappedBackend(new OpenMemoryBackend()));
    const { session } = await store.create({}, 'ada');
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    backend.around = async (method, call) => {
      if (method === 'touch') await answered;
      return call();
    };
    const [row] = await backend.find([session.id]);
    store.parts.touches.record(row!);
    const closed = store.close();
    expect(backend.count('close')).toBe(0);
    answer();
    await closed;
    expect(backend.calls.slice(-2)).toEqual(['touch', 'close']);
  });

  it('does not wait for ever for a backend that hangs', async () => {
    const { store } = openStore({ timeout: '20ms' }, new WrappedBackend(new OpenMemoryBackend(), hang));
    await expect(store.initSchema()).rejects.toThrow('no answer within 20 ms');
    await expect(store.close()).rejects.toThrow(
      'Could not close the session storage: no answer within 20 ms',
    );
  });
});

describe('a SessionStore without options for tests', () => {
  it('reports an outage as a warning of the process', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    const backend = new WrappedBackend(new OpenMemoryBackend(), () => Promise.reject(new Error('disk full')));
    const store = new SessionStore(backend, { key: KEY });
    await expect(store.initSchema()).rejects.toThrow('disk full');
    backend.around = (_method, call) => call();
    await store.initSchema();
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/^Session storage fails: .*disk full/), 'nest-sessions'],
      [expect.stringMatching(/^Session storage works again/), 'nest-sessions'],
    ]);
    warn.mockRestore();
  });

  it('uses the clock of the machine', async () => {
    const store = new SessionStore(new OpenMemoryBackend(), { key: KEY });
    const { session } = await store.create({}, 'ada');
    expect(Math.abs(session.createdAt.getTime() - Date.now())).toBeLessThan(5_000);
    expect(session.createdAt.getTime()).not.toBe(START);
    expect(await store.load(session.id)).toEqual(session);
  });
});
