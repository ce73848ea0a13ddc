import { SessionConflictError, SessionStoreError } from '../../src/core/session-errors.js';
import type { ResolvedSession } from '../../src/core/token-resolver.js';
import type { SessionToken } from '../../src/core/session-token.js';
import { newKin } from '../../src/core/session-token.js';
import { OpenMemoryBackend, WrappedBackend } from './support/backends.js';
import { changed, openStore } from './support/open-store.js';

async function openRotating(every: string | undefined = '15m') {
  const backend = new WrappedBackend(new OpenMemoryBackend());
  const opened = openStore({ rotation: { every, grace: '30s' } }, backend);
  const { session, token } = await opened.store.create({}, 'ada', { n: 1 });
  const { manager, parts } = opened.store;
  const { resolver } = parts;
  /** One request: what it was served, and the token that its response carries. */
  const request = async (presented: SessionToken, wanted = false) => {
    const resolved = await resolver.resolve(presented);
    return { resolved, next: resolved && (await manager.rotateIfDue(resolved, wanted)) };
  };
  backend.calls.length = 0;
  return { ...opened, resolver, manager, request, token, id: session.id };
}

const standing = (resolved: ResolvedSession | null) => resolved?.standing ?? null;

describe('a request with the current token', () => {
  it('is served by one read, and gets no new token before `every`', async () => {
    const { clock, backend, request, token } = await openRotating();
    clock.advance('14m');
    const { resolved, next } = await request(token);
    expect([standing(resolved), next]).toEqual(['current', null]);
    expect(resolved?.content.data).toEqual({ n: 1 });
    expect(backend.calls).toEqual(['find']);
  });

  it('gets a new token once it is as old as `every`, and not again right after', async () => {
    const { clock, request, token } = await openRotating();
    clock.advance('15m');
    const { next } = await request(token);
    expect(next).not.toBeNull();
    expect((await request(next!)).next).toBeNull();
    clock.advance('15m');
    expect((await request(next!)).next).not.toBeNull();
  });

  it('never gets one without `every`, unless it is asked for', async () => {
    const backend = new OpenMemoryBackend();
    const { store, clock } = openStore({ ttl: '30d' }, backend);
    const { token } = await store.create({}, 'ada');
    clock.advance('29d');
    const resolved = (await store.parts.resolver.resolve(token))!;
    expect(store.manager.isRotationDue(resolved, false)).toBe(false);
    expect(await store.manager.rotateIfDue(resolved, false)).toBeNull();
    expect(await store.manager.rotateIfDue(resolved, true)).not.toBeNull();
  });

  it('of several, one gets the new token, and the rest get none', async () => {
    const { clock, resolver, manager, token } = await openRotating();
    clock.advance('15m');
    const resolved = await Promise.all(Array.from({ length: 10 }, () => resolver.resolve(token)));
    const next = await Promise.all(resolved.map((one) => manager.rotateIfDue(one!, true)));
    expect(next.filter((one) => one !== null)).toHaveLength(1);
  });
});

describe('the first use of a new token', () => {
  it('is written at once, and only the first', async () => {
    const { backend, request, token } = await openRotating();
    const { next } = await request(token, true);
    backend.calls.length = 0;
    expect(standing((await request(next!)).resolved)).toBe('current');
    expect(backend.calls).toEqual(['find', 'changeToken']);
    backend.calls.length = 0;
    await request(next!);
    expect(backend.calls).toEqual(['find']);
  });

  it('fails closed: what cannot be written is not served', async () => {
    const { backend, request, resolver, token } = await openRotating();
    const { next } = await request(token, true);
    backend.around = (method, call) =>
      method === 'changeToken' ? Promise.reject(new Error('read only')) : call();
    await expect(resolver.resolve(next!)).rejects.toThrow(SessionStoreError);
  });

  it('by several requests at once serves them all', async () => {
    const { request, resolver, token } = await openRotating();
    const { next } = await request(token, true);
    const resolved = await Promise.all(Array.from({ length: 10 }, () => resolver.resolve(next!)));
    expect(resolved.map(standing)).toEqual(Array.from({ length: 10 }, () => 'current'));
  });

  it('is SessionConflictError, not endless, when storage says no for ever', async () => {
    const { backend, request, resolver, token } = await openRotating();
    const { next } = await request(token, true);
    backend.inner.changeToken = () => Promise.resolve(false);
    await expect(resolver.resolve(next!)).rejects.toThrow(SessionConflictError);
  });
});

describe('a request with the superseded token', () => {
  it('is served within the grace, and gets no token, even if it asks', async () => {
    const { clock, request, token } = await openRotating();
    const { next } = await request(token, true);
    clock.advance(29_999);
    const straggler = await request(token, true);
    expect([standing(straggler.resolved), straggler.next]).toEqual(['superseded', null]);
    expect(standing((await request(next!)).resolved)).toBe('current');
  });

  it('after the grace, the new one unused, gets another new token: the response was lost', async () => {
    const { clock, request, token, id, store } = await openRotating();
    const { next: lost } = await request(token, true);
    clock.advance('30s');
    const { resolved, next } = await request(token);
    expect(standing(resolved)).toBe('lost');
    expect(next).not.toBeNull();
    expect(standing((await request(token)).resolved)).toBe('superseded');
    expect((await request(lost!)).resolved).toBeNull();
    expect(standing((await request(next!)).resolved)).toBe('current');
    expect(await store.load(id)).not.toBeNull();
  });

  it('may lose the response again and again', async () => {
    const { clock, request, token } = await openRotating();
    await request(token, true);
    for (let n = 0; n < 5; n++) {
      clock.advance('1h');
      expect((await request(token)).next).not.toBeNull();
    }
    clock.advance('30s');
    const { next } = await request(token);
    expect(standing((await request(next!)).resolved)).toBe('current');
  });

  it('after the grace, the new one used, ends the session', async () => {
    const { clock, request, token, id, store } = await openRotating();
    const { next } = await request(token, true);
    await request(next!);
    clock.advance('30s');
    expect((await request(token)).resolved).toBeNull();
    expect(await store.read(id)).toBeNull();
    expect((await request(next!)).resolved).toBeNull();
  });
});

describe('a request with an even older token', () => {
  it('is anonymous within the grace of the last rotation, and ends the session afterwards', async () => {
    const { clock, request, token, id, store } = await openRotating();
    const { next } = await request(token, true);
    await request(next!, true);
    clock.advance(29_999);
    expect((await request(token)).resolved).toBeNull();
    expect(await store.load(id)).not.toBeNull();
    clock.advance(1);
    expect((await request(token)).resolved).toBeNull();
    expect(await store.read(id)).toBeNull();
  });
});

describe('a renewed proof of identity', () => {
  it('gives the same session a new token and a new sign-in time; the old token is not served again', async () => {
    const { clock, request, token, id, store } = await openRotating();
    const before = (await store.read(id))!;
    clock.advance('10m');
    const { resolved } = await request(token);
    const renewed = await store.manager.renew(resolved!);
    expect((await request(token)).resolved).toBeNull();
    expect(standing((await request(renewed.token)).resolved)).toBe('current');
    expect(await store.read(id)).toEqual(changed(before, { authenticatedAt: new Date(clock.now()) }));
  });

  it('succeeds beside other changes of the token', async () => {
    const { request, token, store, manager } = await openRotating();
    const { resolved } = await request(token);
    await Promise.all([
      store.manager.renew(resolved!),
      manager.rotateIfDue(resolved!, true),
      store.manager.renew(resolved!),
    ]);
    const { token: newest } = await store.manager.renew(resolved!);
    expect(standing((await request(newest)).resolved)).toBe('current');
  });

  it('is refused for a session that passed to another user', async () => {
    const { request, token, id, store } = await openRotating();
    const { resolved } = await request(token);
    await store.put(id, { userId: 'bob', data: {} }, '1h', { sessions: true });
    await expect(store.manager.renew(resolved!)).rejects.toThrow(/has ended/);
  });

  it('is refused for a session that has ended', async () => {
    const { request, token, id, store } = await openRotating();
    const { resolved } = await request(token);
    await store.delete(id);
    await expect(store.manager.renew(resolved!)).rejects.toThrow(/has ended/);
  });
});

describe('a token that somebody made up who has the key, and knows the id of a session', () => {
  it.each([-1, 0, 1, 2, 1_000])(
    'of generation %i neither leads to the session nor ends it',
    async (generation) => {
      const { clock, request, store, token, id } = await openRotating();
      const { next } = await request(token, true);
      await request(next!);
      clock.advance('1h');
      const { issuer, resolver } = store.parts;
      for (const kin of [undefined, newKin()]) {
        const forged = issuer.issue(id, { generation: Math.max(0, generation), kin });
        expect(await resolver.resolveAny(forged)).toBeNull();
      }
      expect(standing((await request(next!)).resolved)).toBe('current');
    },
  );

  it('is none for a session that began when tokens shared nothing, if it were newer', async () => {
    const { backend, store } = openStore();
    const { session, token } = await store.create({}, 'ada');
    const { sealer, issuer, resolver } = store.parts;
    const { marks: _marks, ...content } = sealer.open(backend.row(session.id));
    backend.tamper(session.id, sealer.seal(content, session.id, 'ada'));
    expect(await resolver.resolveAny(issuer.issue(session.id, { generation: 1, kin: undefined }))).toBeNull();
    expect(standing(await resolver.resolve(token))).toBe('current');
  });
});
