import { onEachPlatform } from '../../support/open-app.js';
import { BASICS, dataOf, seenBy, userOf } from '../../support/session-routes.js';
import { rowsOf } from '../../support/storage.js';

onEachPlatform('authenticate, and the data from before', (open) => {
  it('carries anonymous data over, with what the request has changed, and sets `data` last', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        enter: async ({ session }) => {
          session.data['changed'] = 'now';
          session.remove('removed');
          await session.authenticate('ada', { data: { role: 'admin', cart: ['tea', 'issuer'] } });
          return session.data;
        },
      },
    });
    const ada = browser();
    await ada.post('/do/set', { cart: ['tea'], removed: 'x', kept: 'y', changed: 'before' });
    const expected = { cart: ['tea', 'issuer'], kept: 'y', changed: 'now', role: 'admin' };
    expect((await ada.post('/do/enter')).json()).toEqual(expected);
    expect(await dataOf(ada)).toEqual(expected);
  });

  it('carries over what another request stored while this one ran', async () => {
    const { browser, storage } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/set', { a: '1' });
    const held = storage.hold('insert');
    const { reply } = await ada.start('POST', '/do/in');
    await held.reached;
    await ada.post('/do/set', { b: '2' });
    held.release();
    await reply;
    expect(await dataOf(ada)).toEqual({ a: '1', b: '2' });
  });

  it('carries nothing over when the data was cleared first', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        fresh: async ({ session }) => {
          session.clear();
          await session.authenticate('ada');
        },
      },
    });
    const ada = browser();
    await ada.post('/do/set', { a: '1' });
    await ada.post('/do/fresh');
    expect(await userOf(ada)).toBe('ada');
    expect(await dataOf(ada)).toEqual({});
  });

  it('saves what is changed after it in the same request', async () => {
    const { browser, storage } = await open({
      routes: {
        ...BASICS,
        enter: async ({ session }) => {
          await session.authenticate('ada');
          session.data['after'] = 'yes';
        },
      },
    });
    const ada = browser();
    await ada.post('/do/set', { a: '1' });
    await ada.post('/do/enter');
    expect(await dataOf(ada)).toEqual({ a: '1', after: 'yes' });
    expect(rowsOf(storage)).toHaveLength(1);
  });

  it('carries nothing over from a session of another user, also not what this request changed in it', async () => {
    const { browser, storage } = await open({
      routes: {
        ...BASICS,
        become: async ({ session }) => {
          session.data['note'] = 'written as ada';
          await session.authenticate('bob', { data: { greeting: 'hi' } });
          return session.data;
        },
      },
    });
    const shared = browser();
    await shared.post('/do/in?user=ada');
    await shared.post('/do/set', { secret: 'of ada' });
    expect((await shared.post('/do/become')).json()).toEqual({ greeting: 'hi' });
    expect(await dataOf(shared)).toEqual({ greeting: 'hi' });
    expect(rowsOf(storage).map(({ userId }) => userId)).toEqual(['bob']);
  });

  it('keeps the data when the same user signs in again', async () => {
    const { browser } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/in');
    await ada.post('/do/set', { a: '1' });
    await ada.post('/do/in');
    expect(await dataOf(ada)).toEqual({ a: '1' });
  });

  it('succeeds twice when it is sent twice: both of a double click are signed in', async () => {
    const { browser, storage } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/set', { cart: ['tea'] });
    const twin = await ada.copy();
    const [one, two] = await Promise.all([ada.post('/do/in'), twin.post('/do/in')]);
    expect([one.status, two.status]).toEqual([200, 200]);
    expect(await userOf(ada)).toBe('ada');
    expect(await userOf(twin)).toBe('ada');
    expect(rowsOf(storage)).toHaveLength(2);
    const carts = [await dataOf(ada), await dataOf(twin)].map((data) => data['cart']);
    expect(carts.filter((cart) => cart !== undefined)).toEqual([['tea']]);
  });

  it('succeeds without carried data when the anonymous session has ended, and still sets `data`', async () => {
    const { browser, store } = await open({
      routes: {
        ...BASICS,
        late: async ({ session }) => {
          await store.delete(session.id ?? '');
          await session.authenticate('ada', { data: { role: 'admin' } });
        },
      },
    });
    const ada = browser();
    await ada.post('/do/set', { a: '1' });
    expect((await ada.post('/do/late')).status).toBe(200);
    expect(await userOf(ada)).toBe('ada');
    expect(await dataOf(ada)).toEqual({ role: 'admin' });
  });
});

onEachPlatform('authenticate, and who planted a token', (open) => {
  it('leaves a planted anonymous token dead: it leads neither to the user nor to the data', async () => {
    const { browser, storage } = await open({ routes: BASICS });
    const attacker = browser();
    await attacker.post('/do/set', { planted: 'yes' });
    const token = (await attacker.cookie()) ?? '';
    const victim = browser();
    await victim.plant(token);
    await victim.post('/do/in');
    await victim.post('/do/set', { secret: 'of ada' });
    expect(await userOf(victim)).toBe('ada');
    expect(await seenBy(attacker)).toMatchObject({ id: null, userId: null, data: {} });
    expect(rowsOf(storage)).toHaveLength(1);
  });

  it('stays so at every later time: within a grace, after it, and after the next rotation', async () => {
    const { browser, clock } = await open({
      routes: { ...BASICS, rotate: ({ session }) => session.rotate() },
    });
    const attacker = browser();
    await attacker.post('/do/set', { planted: 'yes' });
    const victim = await attacker.copy();
    await victim.post('/do/in');
    for (const later of ['10s', '1m', '1h']) {
      clock.advance(later);
      await victim.post('/do/rotate');
      expect(await userOf(attacker)).toBeNull();
      expect(await userOf(victim)).toBe('ada');
    }
  });

  it('never adopts a token that was not issued here', async () => {
    const { browser } = await open({ routes: BASICS });
    const victim = browser();
    const forged = `01J0000000000000000000000000${'A'.repeat(63)}`;
    await victim.plant(forged);
    await victim.post('/do/in');
    expect(await victim.cookie()).not.toBe(forged);
    const attacker = browser();
    await attacker.plant(forged);
    expect(await userOf(attacker)).toBeNull();
  });
});
