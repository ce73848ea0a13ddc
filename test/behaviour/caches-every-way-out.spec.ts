import { EXIT_CONTROLLERS, EXITS } from '../support/exits.js';
import { onEachPlatform, type OpenApp } from '../support/open-app.js';

const openExits = (open: OpenApp) =>
  open({
    controllers: EXIT_CONTROLLERS,
    prepare: (made) => made.enableVersioning(),
    routes: { in: ({ session }) => session.authenticate('ada') },
  });

onEachPlatform('rule 12, caches', (open) => {
  it.each(EXITS)('may keep nothing of a signed-in session, by $title', async ({ method = 'GET', path }) => {
    const { browser } = await openExits(open);
    const ada = browser();
    await ada.get('/do/in');
    const { headers } = await ada.send(method, path);
    expect(headers['cache-control']).toContain('no-store');
    expect(headers.vary).toContain('Cookie');
  });

  it.each(EXITS)('may keep nothing that sets our cookie, by $title', async ({ method = 'GET', path }) => {
    const { browser } = await openExits(open);
    const { headers, setCookies } = await browser().send(method, path);
    expect(setCookies).toHaveLength(1);
    expect(headers['cache-control']).toContain('no-store');
    expect(headers.vary).toContain('Cookie');
  });
});
