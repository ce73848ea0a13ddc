import { resolveStoreOptions } from '../../src/core/session-options.js';
import { hang, OpenMemoryBackend, WrappedBackend } from './support/backends.js';
import { KEY, openStore, OTHER_KEY, START } from './support/open-store.js';

describe('checkHealth', () => {
  it('is healthy, with a latency and the keys in use', async () => {
    const { store, clock } = openStore({ ttl: '1h' });
    await store.create({}, 'ada');
    clock.advance('1h');
    await store.create({}, 'ada');
    await store.create({}, null);
    const [keyId = ''] = resolveStoreOptions({ key: KEY }).ring.keyIds;
    const health = await store.checkHealth();
    expect(health).toEqual({
      healthy: true,
      problems: [],
      warnings: [],
      latencyMs: expect.any(Number),
      lastCleanup: null,
      keysInUse: [keyId],
      refusedTokens: 0,
    });
    expect(health.latencyMs).toBeLessThan(3_000);
  });

  it('follows a key rotation: the keys in use, and a warning once one of them is removed', async () => {
    const both = openStore({ key: [OTHER_KEY, KEY] });
    await both.store.create({}, 'ada');
    const moved = openStore({ key: [KEY, OTHER_KEY] }, both.backend);
    await moved.store.create({}, 'ada');
    const [newId = '', oldId = ''] = moved.store.parts.options.ring.keyIds;
    expect(await moved.store.checkHealth()).toMatchObject({
      healthy: true,
      keysInUse: [newId, oldId].toSorted(),
    });
    const removed = openStore({ key: KEY, absoluteTtl: '30d' }, both.backend);
    expect(await removed.store.checkHealth()).toMatchObject({
      healthy: true,
      problems: [],
      warnings: [
        {
          code: 'unknown-key',
          message: `Sessions are sealed by the key ${oldId}, which is not configured`,
        },
      ],
    });
    removed.clock.advance('30d');
    await removed.store.cleanupExpired();
    await removed.store.checkHealth(); // storage is being asked
    expect(await removed.store.checkHealth()).toMatchObject({ warnings: [], keysInUse: [] });
  });

  it('sees plaintext rows under a keyed ring', async () => {
    const { store, backend } = openStore({ plaintext: true });
    await store.create({}, 'ada');
    expect((await store.checkHealth()).keysInUse).toEqual(['plain']);
    const keyed = openStore({ key: KEY }, backend).store;
    expect((await keyed.checkHealth()).warnings).toEqual([
      {
        code: 'unknown-key',
        message: 'Sessions are sealed by the key plain, which is not configured',
      },
    ]);
  });

  it('reports a backend that fails, and never rejects', async () => {
    const { store, backend } = openStore({}, new WrappedBackend(new OpenMemoryBackend()));
    await store.create({}, 'ada');
    backend.around = () => Promise.reject(new Error('connection refused'));
    expect(await store.checkHealth()).toMatchObject({
      healthy: false,
      problems: [
        { code: 'unreachable', message: 'Could not record the use of a session: connection refused' },
      ],
      latencyMs: null,
      keysInUse: [],
    });
    backend.around = (_method, call) => call();
    expect((await store.checkHealth()).healthy).toBe(true);
  });

  it('reports a backend that hangs, within the timeout', async () => {
    const { store, backend } = openStore(
      { timeout: '20ms' },
      new WrappedBackend(new OpenMemoryBackend(), hang),
    );
    const begun = performance.now();
    const health = await store.checkHealth();
    expect(performance.now() - begun).toBeLessThan(3_000);
    expect(health.healthy).toBe(false);
    expect(health.problems).toEqual([
      {
        code: 'unreachable',
        message: 'Could not prepare the session storage: no answer within 20 ms (the `timeout` option)',
      },
    ]);
    expect(backend.calls).toEqual(['init']);
  });

  it('asks storage for the keys in use once a minute, however often it is asked', async () => {
    const { store, backend, clock } = openStore({}, new WrappedBackend(new OpenMemoryBackend()));
    const inUse = async () => (await store.checkHealth()).keysInUse;
    const [keyId = ''] = store.parts.options.ring.keyIds;
    await store.create({}, 'ada');
    expect(await Promise.all([inUse(), inUse(), inUse()])).toEqual([[keyId], [keyId], [keyId]]);
    await store.destroyAll();
    clock.advance('59s');
    expect(await inUse()).toEqual([keyId]);
    expect(backend.count('keysInUse')).toBe(1);
    clock.advance('1s');
    expect(await inUse()).toEqual([keyId]); // storage is being asked
    expect(await inUse()).toEqual([]);
    expect(backend.count('keysInUse')).toBe(2);
  });

  it('asks once a minute also while sessions are sealed by a key that is not configured', async () => {
    const other = openStore({ key: OTHER_KEY }, new WrappedBackend(new OpenMemoryBackend()));
    await other.store.create({}, 'ada');
    const { store, backend, clock } = openStore({ key: KEY }, other.backend);
    for (let asked = 0; asked < 20; asked++) {
      expect((await store.checkHealth()).warnings).toMatchObject([{ code: 'unknown-key' }]);
      clock.advance('2s');
    }
    expect(backend.count('keysInUse')).toBe(1);
    clock.advance('20s');
    await store.checkHealth();
    await store.checkHealth();
    expect(backend.count('keysInUse')).toBe(2);
  });

  it('is unhealthy while genuine tokens are refused for want of a key, until five minutes after the last', async () => {
    const ring = { key: [KEY, OTHER_KEY] };
    const { store, backend, clock, logger } = openStore(ring);
    const { token } = await store.create({}, 'ada');
    const moved = openStore({ key: [OTHER_KEY, KEY] }, backend);
    const { session } = await moved.store.create({}, 'bob');
    const { keyId, payload } = (await backend.find([session.id]))[0] ?? {};
    const [own] = await backend.find([token.sessionId]);
    // As after a write by a replica whose first key this one does not have: the token is still one of ours.
    await backend.save([
      {
        ...own!,
        keyId: keyId ?? '',
        payload: payload ?? own!.payload,
        expectedVersion: own!.version,
        version: 9,
        now: START,
      },
    ]);
    const removed = openStore({ key: KEY }, backend);
    expect(await removed.store.checkHealth()).toMatchObject({ healthy: true, problems: [] });
    await expect(removed.store.listForUser('ada')).resolves.toMatchObject([{ integrity: 'unknown-key' }]);
    expect(await removed.store.checkHealth()).toMatchObject({ healthy: true });
    await expect(removed.store.readByToken(token)).rejects.toThrow('does not contain');
    removed.clock.advance('4m');
    await expect(removed.store.readByToken(token)).rejects.toThrow('does not contain');
    removed.clock.advance('299s');
    expect(await removed.store.checkHealth()).toMatchObject({
      healthy: false,
      problems: [
        {
          code: 'unknown-key',
          message: expect.stringMatching(
            new RegExp(
              `^2 requests with a genuine token were refused, the last at 2030-01-01T12:04:00.000Z: .* key ${keyId}, which`,
            ),
          ),
        },
      ],
    });
    removed.clock.advance('1s');
    expect(await removed.store.checkHealth()).toMatchObject({ healthy: true, problems: [] });
    expect([clock.now(), logger.errors]).toEqual([START, []]);
  });

  it('is not made unhealthy by tokens of another app, which are none here', async () => {
    const other = openStore({ key: OTHER_KEY });
    const { token } = await other.store.create({}, 'ada');
    const { store } = openStore({ key: KEY }, other.backend);
    expect(await store.readByToken(token)).toBe(null);
    expect(await store.checkHealth()).toMatchObject({
      healthy: true,
      problems: [],
      warnings: [{ code: 'unknown-key' }],
    });
  });

  it('is healthy while storage does not say within the timeout which keys are in use', async () => {
    const wrapped = new WrappedBackend(new OpenMemoryBackend());
    const { store, backend, logger } = openStore({ timeout: '20ms' }, wrapped);
    backend.around = (method, call) => (method === 'keysInUse' ? hang() : call());
    const expected = { healthy: true, latencyMs: expect.any(Number), keysInUse: [] };
    expect(await store.checkHealth()).toMatchObject(expected);
    expect(await store.checkHealth()).toMatchObject(expected);
    expect(backend.count('keysInUse')).toBe(1);
    expect([...logger.errors, ...logger.warnings]).toEqual([]);
  });

  it('says nothing that is secret', async () => {
    const { store } = openStore();
    const { token } = await store.create({ ip: '192.0.2.1' }, 'ada', { secret: 'xyzzy' });
    const text = JSON.stringify(await store.checkHealth());
    for (const secret of [token.reveal(), '192.0.2.1', 'xyzzy', 'ada']) expect(text).not.toContain(secret);
  });
});
