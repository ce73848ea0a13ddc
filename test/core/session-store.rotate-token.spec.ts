import {
  SessionConflictError,
  SessionDataError,
  SessionGoneError,
  SessionOptionsError,
} from '../../src/core/session-errors.js';
import { tokenState } from '../../src/core/rotation-policy.js';
import { WrappedBackend } from './support/backends.js';
import { openStore } from './support/open-store.js';

describe('rotateToken', () => {
  it('gives a new token for the same session', async () => {
    const { store } = openStore();
    const { session, token } = await store.create({}, 'ada', { n: 1 });
    const next = await store.rotateToken(session.id);
    expect(next.reveal()).not.toBe(token.reveal());
    expect(next.sessionId).toBe(session.id);
    expect(await store.readByToken(next)).toEqual(session);
  });

  it('makes the old token resolve to null at once, without a grace', async () => {
    const { store } = openStore();
    const { session, token } = await store.create({}, 'ada');
    const next = await store.rotateToken(session.id);
    expect(await store.readByToken(token)).toBeNull();
    expect(await store.readByToken(next)).toEqual(session);
  });

  it('makes the old token resolve to null after the grace, and not a millisecond earlier', async () => {
    const { store, clock } = openStore();
    const { session, token } = await store.create({}, 'ada');
    await store.rotateToken(session.id, { grace: '10s' });
    clock.advance(9_999);
    expect(await store.readByToken(token)).toEqual(session);
    clock.advance(1);
    expect(await store.readByToken(token)).toBeNull();
  });

  it('keeps the session alive when the old token comes back before the new one was ever used', async () => {
    const { store, clock } = openStore();
    const { session, token } = await store.create({}, 'ada');
    const next = await store.rotateToken(session.id, { grace: '10s' });
    clock.advance('1m');
    expect(await store.readByToken(token)).toBeNull();
    expect(await store.readByToken(next)).toEqual(session);
  });

  it('ends the session when the old token comes back after the grace and the new one is in use', async () => {
    const { store, clock } = openStore();
    const { session, token } = await store.create({}, 'ada');
    const next = await store.rotateToken(session.id, { grace: '10s' });
    expect(await store.readByToken(next)).toEqual(session);
    expect(await store.readByToken(token)).toEqual(session);
    clock.advance('10s');
    expect(await store.readByToken(token)).toBeNull();
    expect(await store.read(session.id)).toBeNull();
    expect(await store.readByToken(next)).toBeNull();
  });

  it('takes a token from two rotations ago for a straggler within the grace, for a thief afterwards', async () => {
    const { store, clock } = openStore();
    const { session, token } = await store.create({}, 'ada');
    await store.rotateToken(session.id, { grace: '10s' });
    const newest = await store.rotateToken(session.id, { grace: '10s' });
    clock.advance(9_999);
    expect(await store.readByToken(token)).toBeNull();
    expect(await store.readByToken(newest)).toEqual(session);
    clock.advance(1);
    expect(await store.readByToken(token)).toBeNull();
    expect(await store.read(session.id)).toBeNull();
  });

  it('changes nothing but the token: not the expiry, not the sign-in, not the data', async () => {
    const { store, clock, backend } = openStore();
    const { session } = await store.create({ ip: '192.0.2.1' }, 'ada', { n: 1 });
    const before = backend.row(session.id);
    clock.advance('5m');
    await store.rotateToken(session.id);
    const after = backend.row(session.id);
    const { tokenHash, supersededHash, tokenIssuedAt, graceUntil, tokenUsed } = after;
    expect(after).toEqual({ ...before, ...tokenState(after) });
    expect(after.tokenGeneration).toBe(1);
    expect(supersededHash).toBe(before.tokenHash);
    expect(tokenHash).not.toBe(before.tokenHash);
    expect({ tokenIssuedAt, graceUntil, tokenUsed }).toEqual({
      tokenIssuedAt: clock.now(),
      graceUntil: clock.now(),
      tokenUsed: false,
    });
  });

  it('is SessionGoneError when the session is missing, ended or expired: never a dead token', async () => {
    const { store, clock } = openStore({ ttl: '1h' });
    await expect(store.rotateToken('01ARZ3NDEKTSV4RRFFQ69G5FAV')).rejects.toThrow(SessionGoneError);
    const ended = await store.create({}, 'ada');
    await store.delete(ended.session.id);
    await expect(store.rotateToken(ended.session.id)).rejects.toThrow(SessionGoneError);
    const expired = await store.create({}, 'ada');
    clock.advance('1h');
    await expect(store.rotateToken(expired.session.id)).rejects.toThrow(SessionGoneError);
  });

  it('is SessionConflictError for all but one of concurrent rotations, and the winner gets the live token', async () => {
    const { store } = openStore();
    const { session } = await store.create({}, 'ada');
    const rotations = await Promise.allSettled(
      Array.from({ length: 20 }, () => store.rotateToken(session.id)),
    );
    const won = rotations.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const lost = rotations.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    expect(won).toHaveLength(1);
    expect(lost).toHaveLength(19);
    expect(lost.every((reason) => reason instanceof SessionConflictError)).toBe(true);
    expect(await store.readByToken(won[0]!)).toEqual(session);
  });

  it('is SessionConflictError also for a session whose payload does not open: its token can still be replaced', async () => {
    const { store, backend } = openStore();
    const { session } = await store.create({}, 'ada');
    backend.tamper(session.id, { payload: Buffer.alloc(100, 1) });
    const rotations = await Promise.allSettled([
      store.rotateToken(session.id),
      store.rotateToken(session.id),
    ]);
    expect(rotations.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(rotations[1]).toMatchObject({ reason: { code: 'session_conflict' } });
  });

  it('is SessionGoneError when the session ends between look-up and change', async () => {
    const { store, backend } = openStore();
    const { session } = await store.create({}, 'ada');
    const slow = new WrappedBackend(backend, async (method, call) => {
      if (method === 'changeToken') await backend.delete({ userId: 'ada' });
      return call();
    });
    const other = openStore({}, slow).store;
    await expect(other.rotateToken(session.id)).rejects.toThrow(SessionGoneError);
  });

  it('refuses a session without a token, naming why', async () => {
    const { store } = openStore();
    await store.put('key', { userId: 'ada', data: {} }, '1h');
    await expect(store.rotateToken('key')).rejects.toThrow(SessionDataError);
    await expect(store.rotateToken('key')).rejects.toThrow(/no token to rotate: .*`save`, `put` or `cycle`/);
  });

  it.each([[-1], ['-1s'], [Number.NaN], ['soon'], [null as unknown as number]])(
    'refuses a grace of %p',
    async (grace) => {
      const { store } = openStore();
      const { session, token } = await store.create({}, 'ada');
      await expect(store.rotateToken(session.id, { grace })).rejects.toThrow(SessionOptionsError);
      expect(await store.readByToken(token)).toEqual(session);
    },
  );
});
