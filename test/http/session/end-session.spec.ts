import type { RequestSession } from 'nest-sessions';
import { onEachPlatform } from '../../support/open-app.js';
import { BASICS, door, refusal, seenBy, userOf } from '../../support/session-routes.js';
import type { Routes } from '../../support/routes.js';

type Ending = (session: RequestSession, other: string) => Promise<unknown>;

const ENDINGS: Readonly<Record<string, Ending>> = {
  'logoutOthers()': (session) => session.logoutOthers(),
  'revoke()': (session, other) => session.revoke(other),
};

onEachPlatform('a session that another request has ended', (open) => {
  const openWaiting = async (end: Ending) => {
    const [arrived, wait] = [door(), door()];
    const routes: Routes = {
      ...BASICS,
      slow: async ({ session, body }) => {
        arrived.open();
        await wait.opened;
        return { ended: await end(session as RequestSession, body['other'] ?? '') };
      },
      others: ({ session }) => session.logoutOthers(),
    };
    const opened = await open({ routes });
    return { ...opened, arrived: arrived.opened, goOn: wait.open };
  };

  it.each(Object.entries(ENDINGS))('ends no other one by %s', async (_, end) => {
    const { browser, events, arrived, goOn } = await openWaiting(end);
    const [thief, owner] = [browser(), browser()];
    await thief.post('/do/in');
    await owner.post('/do/in');
    const { id } = await seenBy(owner);
    const before = await thief.cookie();
    const request = await thief.start('POST', '/do/slow', { body: { other: id } });
    await arrived;
    expect((await owner.post('/do/others')).json()).toBe(1); // the owner has changed the password
    goOn();
    const reply = await request.reply;
    expect(refusal(reply)).toEqual({ status: 401, code: 'session_gone' });
    expect(reply.setCookies).toEqual([]); // a straggler's cookie is left alone
    expect(await thief.cookie()).toBe(before);
    expect(await userOf(owner)).toBe('ada');
    expect(events.filter((event) => event.name === 'revoked')).toHaveLength(1);
  });

  it.each(Object.entries(ENDINGS))('that is live does so by %s', async (_, end) => {
    const { browser, goOn } = await openWaiting(end);
    const [laptop, phone] = [browser(), browser()];
    await laptop.post('/do/in');
    await phone.post('/do/in');
    goOn();
    const reply = await laptop.post('/do/slow', { other: (await seenBy(phone)).id });
    expect(reply.status).toBeLessThan(300);
    expect(await userOf(phone)).toBeNull();
  });
});
