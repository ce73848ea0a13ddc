import { createHash, randomBytes } from 'node:crypto';
import { SessionStoreError } from '../../src/core/session-errors.js';
import { OpenMemoryBackend } from './support/backends.js';
import { HOUR, KEY, openStore, OTHER_KEY, recordEvents, START } from './support/open-store.js';

describe('rotation of the key', () => {
  const [oldKey, newKey] = [KEY.toString('base64'), OTHER_KEY.toString('hex')];

  it('appended everywhere, moved first, removed: every session and token works until its end', async () => {
    const backend = new OpenMemoryBackend();
    const open = (key: string) => openStore({ key }, backend).store;

    const before = open(oldKey);
    const early = await before.create({}, 'ada', { n: 1 });

    const appended = open(`${oldKey},${newKey}`);
    const moved = open(`${newKey}, ${oldKey}`);
    const late = await moved.create({}, 'ada', { n: 2 });
    for (const replica of [appended, moved]) {
      expect((await replica.readByToken(early.token))?.data).toEqual({ n: 1 });
      expect((await replica.readByToken(late.token))?.data).toEqual({ n: 2 });
    }

    const removed = open(newKey);
    expect((await removed.readByToken(late.token))?.data).toEqual({ n: 2 });
    expect(await removed.readByToken(early.token)).toBeNull();
    await expect(removed.load(early.session.id)).rejects.toThrow(SessionStoreError);
  });

  it('seals anew, by the first key, whatever is written', async () => {
    const backend = new OpenMemoryBackend();
    const { session } = await openStore({ key: oldKey }, backend).store.create({}, 'ada', { n: 1 });
    const oldId = backend.row(session.id).keyId;
    const moved = openStore({ key: [newKey, oldKey] }, backend).store;
    await moved.flush(session.id, { n: 2 }, START, START + HOUR);
    expect(backend.row(session.id).keyId).not.toBe(oldId);
    expect((await openStore({ key: newKey }, backend).store.load(session.id))?.data).toEqual({ n: 2 });
  });

  it('signs new tokens by the first key, and recognises those of every key', async () => {
    const backend = new OpenMemoryBackend();
    const { session, token } = await openStore({ key: oldKey }, backend).store.create({}, 'ada');
    const moved = openStore({ key: [newKey, oldKey] }, backend).store;
    const next = await moved.rotateToken(session.id, { grace: '30s' });
    expect(await moved.readByToken(token)).toEqual(session);
    expect(openStore({ key: newKey }).store.parts.issuer.recognise(next)).not.toBeNull();
    expect(openStore({ key: newKey }).store.parts.issuer.recognise(token)).toBeNull();
  });
});

describe('from plaintext to a key', () => {
  it('signs everybody out: tokens that the process signed are not recognised, payloads do not open', async () => {
    const { store, backend } = openStore({ plaintext: true });
    const { session, token } = await store.create({}, 'ada', { n: 1 });
    expect((await store.readByToken(token))?.data).toEqual({ n: 1 });
    const keyed = openStore({ key: KEY }, backend).store;
    expect(await keyed.readByToken(token)).toBeNull();
    await expect(keyed.load(session.id)).rejects.toThrow(SessionStoreError);
  });
});

describe('without encryption, a token', () => {
  const sha = (text: string): string =>
    createHash('sha256').update(text).digest().toString('base64url', 0, 16);

  it.each<[string, (signed: string) => string]>([
    ['the checksum of it', (signed) => sha(`nest-sessions checksum cookie token ${signed}`)],
    ['a hash of it', (signed) => sha(signed)],
    ['anything', () => 'A'.repeat(22)],
  ])('made up from a public id and %s is none: the session stays, and no theft is told', async (_, sign) => {
    const { store, clock } = openStore({ plaintext: true });
    const { session, token } = await store.create({}, 'ada');
    await store.rotateToken(session.id);
    clock.advance('1h');
    const events = recordEvents(store);
    const secret = randomBytes(16).toString('hex');
    const signed = token
      .reveal()
      .slice(0, -22)
      .replace(/.{32}$/, secret);
    expect(signed).toMatch(new RegExp(`^${session.id}.*${secret}$`));
    expect(await store.readByToken(signed + sign(signed))).toBeNull();
    expect(events).toEqual([]);
    expect(await store.load(session.id)).not.toBeNull();
  });
});
