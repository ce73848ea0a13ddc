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
    expect((await ada.get('/do/service')).json()).toEqual({
      statusCode: 500,
      message: 'The server is not set up for this',
      code: 'session_options_invalid',
    });
    expect(JSON.stringify(log.lines)).toContain(
      'currentSession(): expected the option `currentSession: true`',
    );
    expect(() => currentSession()).toThrow(SessionOptionsError);
    expect(await seenBy(ada)).toMatchObject({ userId: 'ada' });
  });

  it('is null again when the app is closed, as in a unit test behind it', async () => {
    const { app } = await open();
    expect(() => currentSession()).toThrow(SessionOptionsError);
    await app.close();
    expect(currentSession()).toBeNull();
    await open(); // for what closes apps
  });
});

onEachPlatform('currentSession() outside a request', (open) => {
  it('is null once an app has the option', async () => {
    await open({ options: { currentSession: true } });
    expect(currentSession()).toBeNull();
  });
});
