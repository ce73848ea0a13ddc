import { KeyRing } from '../../src/core/key-ring.js';
import type { SessionRow } from '../../src/core/session-row.js';
import { KEY, onEachPlatform, type OpenApp } from '../support/open-app.js';
import { BASICS, dataOf, refusal, userOf } from '../support/session-routes.js';
import { rowsOf, type TestStorage } from '../support/storage.js';

async function openTwoUsers(open: OpenApp) {
  const app = await open({
    routes: { ...BASICS, revoke: ({ session, query }) => session.revoke(query['id'] ?? '') },
  });
  const [ada, phone, bob] = [app.browser(), app.browser(), app.browser()];
  await ada.post('/do/in');
  await ada.post('/do/set', { secret: 'of ada' });
  await phone.post('/do/in');
  await bob.post('/do/in?user=bob');
  await bob.post('/do/set', { secret: 'of bob' });
  const [adas, phones, bobs] = rowsOf(app.storage);
  if (!adas || !phones || !bobs) throw new Error('Expected three rows');
  app.storage.forget();
  return { ...app, ada, phone, bob, adas, phones, bobs };
}

/** One bit of a payload, flipped. */
function flipped({ payload }: SessionRow, index: number): Buffer {
  const copy = Buffer.from(payload);
  copy.writeUInt8(copy.readUInt8(index) ^ 1, index);
  return copy;
}

const ofStorage = (storage: TestStorage) => (id: string) => storage.memory.row(id);

onEachPlatform('rule 7, a payload that was tampered with', (open) => {
  it.each([
    ['in the nonce', 8],
    ['in the ciphertext', 20],
    ['in the tag', -1],
  ])('%s is anonymous, with an event; the row stays, listed for its owner to revoke', async (_, index) => {
    const { ada, phone, adas, storage, events } = await openTwoUsers(open);
    const payload = flipped(adas, index < 0 ? adas.payload.length + index : index);
    storage.memory.tamper(adas.id, { payload });
    const reply = await ada.get('/do/see');
    expect(reply.json()).toMatchObject({ userId: null, data: {} });
    expect(reply.setCookies).toEqual([]);
    expect(events.filter(({ name }) => name === 'tampered')).toMatchObject([
      { sessionId: adas.id, userId: 'ada', ip: '127.0.0.1' },
    ]);
    expect(storage.calls).toEqual(['find']);
    const listed = (await phone.get('/do/list')).json<{ id: string; integrity: string; meta: object }[]>();
    expect(listed.map(({ id, integrity }) => [id, integrity])).toContainEqual([adas.id, 'tampered']);
    expect(listed.find(({ id }) => id === adas.id)?.meta).toEqual({});
    expect((await phone.get(`/do/revoke?id=${adas.id}`)).text).toBe('true');
    expect(rowsOf(storage)).toHaveLength(2);
  });

  it('by moving it to another row does not open', async () => {
    const { ada, bob, adas, bobs, storage, events } = await openTwoUsers(open);
    storage.memory.tamper(bobs.id, { payload: adas.payload });
    expect(await dataOf(bob)).toEqual({});
    expect(await userOf(bob)).toBeNull();
    expect(events.map(({ name }) => name)).toContain('tampered');
    expect(await dataOf(ada)).toEqual({ secret: 'of ada' });
  });

  it('by changing the owner of the row does not open', async () => {
    const { bob, bobs, storage, events } = await openTwoUsers(open);
    storage.memory.tamper(bobs.id, { userId: 'ada' });
    expect(await userOf(bob)).toBeNull();
    expect(events.filter(({ name }) => name === 'tampered')).toHaveLength(1);
  });

  it('while a request was under way: its change is a 401, and nothing is overwritten', async () => {
    const { adas, browser, ada, storage } = await openTwoUsers(open);
    const held = storage.hold('save');
    const { reply } = await ada.start('POST', '/do/set', { body: { theme: 'dark' } });
    await held.reached;
    const payload = flipped(adas, 20);
    const { version } = ofStorage(storage)(adas.id);
    storage.memory.tamper(adas.id, { payload, version: version + 1 });
    held.release();
    expect(refusal(await reply)).toEqual({ status: 401, code: 'session_tampered' });
    expect(ofStorage(storage)(adas.id).payload).toEqual(payload);
    expect((await browser().get('/plain')).status).toBe(200);
  });
});

onEachPlatform('rule 7, a payload whose key is unknown', (open) => {
  it('is the mistake of an operator: 503 with Retry-After, the cookie is kept, and others are served', async () => {
    const { ada, bob, adas, storage, log, store } = await openTwoUsers(open);
    const text = KeyRing.of(KEY).open(adas.payload, adas.id, adas.userId);
    const foreign = KeyRing.of(Buffer.alloc(32, 'a key removed too early')).seal(text, adas.id, adas.userId);
    storage.memory.tamper(adas.id, foreign);
    const cookie = await ada.cookie();
    const reply = await ada.get('/do/see');
    expect(refusal(reply)).toEqual({ status: 503, code: 'session_store_unavailable' });
    expect(reply.headers['retry-after']).toBe('5');
    expect(reply.text).not.toMatch(new RegExp(`key|${foreign.keyId}|${adas.id}`, 'i'));
    expect(await ada.cookie()).toBe(cookie);
    expect(await userOf(bob)).toBe('bob');
    expect(await store.checkHealth()).toMatchObject({ healthy: false, problems: [{ code: 'unknown-key' }] });
    expect(log.sessionErrors).toEqual([expect.stringMatching(/^GET \/do\/:name: .*Append the missing key/)]);
    storage.memory.tamper(adas.id, { payload: adas.payload, keyId: adas.keyId });
    expect(await userOf(ada)).toBe('ada');
  });
});
