import { SessionDataError } from '../../src/core/session-errors.js';
import { changed, HOUR, MINUTE, openStore, START } from './support/open-store.js';

async function openWithSession() {
  const opened = openStore({ ttl: '1h', absoluteTtl: '3h' });
  const { session, token } = await opened.store.create({}, 'ada', { n: 1 });
  return { ...opened, id: session.id, session, token };
}

describe('touch', () => {
  it('records use and moves the idle expiry, and nothing else', async () => {
    const { store, clock, id, session } = await openWithSession();
    clock.advance('30m');
    expect(await store.touch(id, new Date(clock.now()), new Date(clock.now() + HOUR))).toBe(true);
    expect(await store.read(id)).toEqual(
      changed(session, {
        lastActiveAt: new Date(START + HOUR / 2),
        expiresAt: new Date(START + 1.5 * HOUR),
      }),
    );
  });

  it('takes milliseconds as well as dates', async () => {
    const { store, clock, id } = await openWithSession();
    clock.advance(MINUTE);
    await store.touch(id, clock.now(), clock.now() + HOUR);
    expect((await store.read(id))?.lastActiveAt).toEqual(new Date(START + MINUTE));
  });

  it('is monotone: touches that arrive out of order leave the latest instants', async () => {
    const { store, clock, id } = await openWithSession();
    clock.advance('10m');
    const minutes = [3, 9, 1, 7, 5];
    await Promise.all(minutes.map((n) => store.touch(id, START + n * MINUTE, START + HOUR + n * MINUTE)));
    expect(await store.touch(id, START - HOUR, START - HOUR)).toBe(true);
    expect(await store.read(id)).toMatchObject({
      lastActiveAt: new Date(START + 9 * MINUTE),
      expiresAt: new Date(START + HOUR + 9 * MINUTE),
    });
  });

  it('never moves the expiry past the absolute one', async () => {
    const { store, clock, id, session } = await openWithSession();
    for (let n = 0; n < 5; n++) {
      await store.touch(id, clock.now(), clock.now() + HOUR);
      clock.advance('40m');
    }
    expect((await store.read(id))?.expiresAt).toEqual(session.absoluteExpiresAt);
    clock.advance('40m');
    expect(await store.touch(id, clock.now(), clock.now() + HOUR)).toBe(false);
    expect(await store.load(id)).toBeNull();
  });

  it('is false for a session that has ended, and never revives it', async () => {
    const { store, clock, backend, id } = await openWithSession();
    clock.advance('1h');
    expect(await store.touch(id, clock.now(), clock.now() + HOUR)).toBe(false);
    expect(await store.touch(id, START, clock.now() + HOUR)).toBe(false);
    expect(await store.load(id)).toBeNull();
    await store.delete(id);
    expect(await store.touch(id, clock.now(), clock.now() + HOUR)).toBe(false);
    expect(await store.touch('unknown', clock.now(), clock.now() + HOUR)).toBe(false);
    expect(backend.stored.size).toBe(0);
  });

  it('does not make a write under way conflict', async () => {
    const { store, id } = await openWithSession();
    const written = store.parts.writer.write({
      id,
      use: ({ lastActiveAt, expiresAt }) => ({ lastActiveAt, expiresAt }),
      apply: async (content) => {
        await store.touch(id, START + MINUTE, START + HOUR + MINUTE);
        return { ...content, data: { n: 2 } };
      },
    });
    await expect(written).resolves.toMatchObject({ content: { data: { n: 2 } } });
    expect(await store.read(id)).toMatchObject({
      data: { n: 2 },
      lastActiveAt: new Date(START + MINUTE),
      expiresAt: new Date(START + HOUR + MINUTE),
    });
  });

  it.each([
    ['now', Number.NaN, START],
    ['now', new Date('never'), START],
    ['expiresAt', START, new Date('never')],
    ['expiresAt', START, undefined as unknown as Date],
  ])('refuses an instant that is none as `%s`', async (name, now, expiresAt) => {
    const { store, id, session } = await openWithSession();
    await expect(store.touch(id, now, expiresAt)).rejects.toThrow(SessionDataError);
    await expect(store.touch(id, now, expiresAt)).rejects.toThrow(`\`${name}\`: expected a Date`);
    expect(await store.read(id)).toEqual(session);
  });

  it('rejects what is not an id, rather than throwing', async () => {
    const { store } = await openWithSession();
    await expect(store.touch('', START, START)).rejects.toThrow(SessionDataError);
  });
});
