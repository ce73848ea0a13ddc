import { currentSession, SessionOptionsError } from 'nest-sessions';
import { onEachPlatform } from '../../support/open-app.js';
import { BASICS, seenBy } from '../../support/session-routes.js';

/*
 * One process, in order: what is said depends on the apps that there have been.
 */

it('currentSession() is null where there is no app, as in a unit test', () => {
  expect(currentSession()).toBeNull();
});

onEachPlatform('currentSession() without the option', (open) => {
  it('throws, so that nobody who is signed in is taken for a visitor', async () => {
    const { browser, log } = await open({
      routes: { ...BASICS, service: () => ({ user: currentSession()?.userId ?? null }) },
    });
    const ada = browser();
    await ada.post('/do/in');
    expect((await ada.get('/do/service')).status).toBe(500);
    expect(JSON.stringify(log.lines)).toContain(
      'currentSession(): expected the option `currentSession: true`',
    );
    expect(() => currentSession()).toThrow(SessionOptionsError);
    expect(await seenBy(ada)).toMatchObject({ userId: 'ada' });
  });
});

onEachPlatform('currentSession() outside a request', (open) => {
  it('is null once an app has the option', async () => {
    await open({ options: { currentSession: true } });
    expect(currentSession()).toBeNull();
  });
});
