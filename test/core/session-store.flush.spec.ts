import {
  SessionDataError,
  SessionTamperedError,
  SessionTooLargeError,
} from '../../src/core/session-errors.js';
import { changed, HOUR, MINUTE, openStore, recordEvents, START } from './support/open-store.js';

async function openWith(data: object, options = {}) {
  const opened = openStore({ ttl: '1h', absoluteTtl: '3h', ...options });
  const { session, token } = await opened.store.create({ ip: '192.0.2.1' }, 'ada', data);
  const read = async () => (await opened.store.read(session.id))?.data;
  return { ...opened, id: session.id, session, token, read };
}

describe('flush without a base', () => {
  it('replaces all data, whatever is stored', async () => {
    const { store, id, read } = await openWith({ a: 1, b: 2 });
    expect(await store.flush(id, { c: 3 }, START, START + HOUR)).toBe(true);
    expect(await read()).toEqual({ c: 3 });
  });

  it('keeps token, owner, meta and creation', async () => {
    const { store, id, session, token } = await openWith({ a: 1 });
    await store.flush(id, { b: 2 }, START, START + HOUR);
    expect(await store.readByToken(token)).toEqual(changed(session, { data: { b: 2 } }));
  });
});

describe('flush with a base', () => {
  it('sets the keys that changed, removes the ones that went, and leaves the rest as stored', async () => {
    const { store, id, read } = await openWith({ kept: 1, changed: 1, removed: 1 });
    const base = await read();
    await store.flush(id, { ...base, elsewhere: true }, START, START + HOUR, base);
    await store.flush(id, { kept: 1, changed: 2, added: [3] }, START, START + HOUR, base);
    expect(await read()).toEqual({ kept: 1, changed: 2, added: [3], elsewhere: true });
  });

  it('takes equal values of another identity for unchanged', async () => {
    const { store, id, read } = await openWith({ cart: [{ n: 1 }] });
    const base = await read();
    await store.flush(id, { cart: 'by someone else' }, START, START + HOUR);
    await store.flush(id, structuredClone(base) ?? {}, START, START + HOUR, base);
    expect(await read()).toEqual({ cart: 'by someone else' });
  });

  it('lets the last write of one key win', async () => {
    const { store, id, read } = await openWith({ n: 0 });
    await store.flush(id, { n: 1 }, START, START + HOUR, { n: 0 });
    await store.flush(id, { n: 2 }, START, START + HOUR, { n: 0 });
    expect(await read()).toEqual({ n: 2 });
  });

  it('keeps changes of different keys, however many run at once', async () => {
    const { store, id, read } = await openWith({});
    const keys = Array.from({ length: 40 }, (_, n) => `key${n}`);
    const flushed = await Promise.all(
      keys.map((key) => store.flush(id, { [key]: key }, START, START + HOUR, {})),
    );
    expect(flushed.every(Boolean)).toBe(true);
    expect(await read()).toEqual(Object.fromEntries(keys.map((key) => [key, key])));
  });

  it('handles keys that are also names of Object.prototype', async () => {
    const { store, id, read } = await openWith({});
    await store.flush(id, { constructor: 1, toString: 2, hasOwnProperty: 3 }, START, START + HOUR, {});
    expect(await read()).toEqual({ constructor: 1, toString: 2, hasOwnProperty: 3 });
    await store.flush(id, { toString: 2 }, START, START + HOUR, await read());
    expect(await read()).toEqual({ toString: 2 });
  });
});

describe('flush and time', () => {
  it('records use and moves the idle expiry', async () => {
    const { store, clock, id } = await openWith({});
    clock.advance('30m');
    await store.flush(id, {}, new Date(clock.now()), new Date(clock.now() + HOUR));
    expect(await store.read(id)).toMatchObject({
      lastActiveAt: new Date(START + HOUR / 2),
      expiresAt: new Date(START + 1.5 * HOUR),
    });
  });

  it('moves neither instant back', async () => {
    const { store, id, session, read } = await openWith({});
    expect(await store.flush(id, { n: 1 }, START - HOUR, START + MINUTE)).toBe(true);
    expect(await store.read(id)).toEqual(changed(session, { data: { n: 1 } }));
    expect(await read()).toEqual({ n: 1 });
  });

  it('never moves the expiry past the absolute one', async () => {
    const { store, id, session } = await openWith({});
    await store.flush(id, {}, START, START + 100 * HOUR);
    expect((await store.read(id))?.expiresAt).toEqual(session.absoluteExpiresAt);
  });

  it.each([
    ['now', Number.NaN, START],
    ['now', new Date('never'), START],
    ['expiresAt', START, new Date('never')],
    ['expiresAt', START, Number.POSITIVE_INFINITY],
  ])('refuses an instant that is none as `%s`', async (name, now, expiresAt) => {
    const { store, id, session } = await openWith({ n: 1 });
    await expect(store.flush(id, {}, now, expiresAt)).rejects.toThrow(SessionDataError);
    await expect(store.flush(id, {}, now, expiresAt)).rejects.toThrow(`\`${name}\`: expected a Date`);
    expect(await store.read(id)).toEqual(session);
  });
});

describe('flush of a session that has ended', () => {
  it('is false, and never revives: deleted, expired, or never there', async () => {
    const { store, clock, backend, id } = await openWith({ n: 1 });
    clock.advance('1h');
    expect(await store.flush(id, { n: 2 }, clock.now(), clock.now() + HOUR)).toBe(false);
    expect(await store.flush(id, { n: 2 }, START, clock.now() + HOUR, { n: 1 })).toBe(false);
    expect((await store.read(id))?.data).toEqual({ n: 1 });
    await store.delete(id);
    expect(await store.flush(id, { n: 2 }, clock.now(), clock.now() + HOUR)).toBe(false);
    expect(await store.flush('unknown', { n: 2 }, clock.now(), clock.now() + HOUR)).toBe(false);
    expect(backend.stored.size).toBe(0);
  });

  it('is no event', async () => {
    const { store, id } = await openWith({});
    const events = recordEvents(store);
    await store.flush(id, { n: 1 }, START, START + HOUR);
    expect(events).toEqual([]);
  });
});

describe('flush of what cannot be stored', () => {
  it('rejects, and leaves the old data', async () => {
    const { store, id, session } = await openWith({ n: 1 });
    const flush = (data: object, base?: object) => store.flush(id, data, START, START + HOUR, base);
    await expect(flush({ n: 2n })).rejects.toThrow(SessionDataError);
    await expect(flush({}, { n: 2n })).rejects.toThrow(/`base.n` is a bigint/);
    await expect(flush([] as object)).rejects.toThrow(
      'Session data must be an object, but `data` is an array',
    );
    await expect(flush({ text: 'x'.repeat(1_000_000) })).rejects.toThrow(SessionTooLargeError);
    await expect(store.flush('', {}, START, START + HOUR)).rejects.toThrow(SessionDataError);
    expect(await store.read(id)).toEqual(session);
  });

  it('counts what is stored, not what is sent: merging over the limit is refused too', async () => {
    const { store, id, session } = await openWith({ a: 'x'.repeat(60) }, { maxDataBytes: 100 });
    const merged = store.flush(id, { b: 'x'.repeat(60) }, START, START + HOUR, {});
    await expect(merged).rejects.toThrow(
      'Session data of 135 bytes is larger than `maxDataBytes`, 100 bytes',
    );
    expect(await store.read(id)).toEqual(session);
  });

  it('rejects with SessionTamperedError when the stored payload does not open: nothing is overwritten', async () => {
    const { store, backend, id } = await openWith({ n: 1 });
    const payload = Buffer.from(backend.row(id).payload).fill(0, 30);
    backend.tamper(id, { payload });
    await expect(store.flush(id, { n: 2 }, START, START + HOUR)).rejects.toThrow(SessionTamperedError);
    expect(backend.row(id).payload).toEqual(payload);
  });
});
