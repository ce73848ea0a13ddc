import { ManualClock, signIn } from 'nest-sessions/testing';
import { resolveOptions } from '../../../src/session.options.js';
import type { Browser, Reply } from '../../support/browser.js';
import { onEachPlatform, type OpenApp } from '../../support/open-app.js';
import { BASICS, type Seen } from '../../support/session-routes.js';
import { rowsOf } from '../../support/storage.js';

const SAFARI = 'AppleWebKit/605.1.15 (KHTML, like Gecko)';
const BLINK = 'AppleWebKit/537.36 (KHTML, like Gecko)';
const MAC = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)';
const AGENTS = {
  chrome: `${MAC} ${BLINK} Chrome/156.0.0.0 Safari/537.36`,
  newerChrome: `${MAC} ${BLINK} Chrome/157.0.0.0 Safari/537.36`,
  safari: `${MAC} ${SAFARI} Version/17.5 Safari/605.1.15`,
  windows: `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${BLINK} Chrome/156.0.0.0 Safari/537.36`,
  edge: `${MAC} ${BLINK} Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0`,
  firefox: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko/20100101 Firefox/127.0',
  android: `Mozilla/5.0 (Linux; Android 10; K) ${BLINK} Chrome/156.0.0.0 Mobile Safari/537.36`,
  androidAsDesktop: `Mozilla/5.0 (X11; Linux x86_64) ${BLINK} Chrome/156.0.0.0 Safari/537.36`,
  ipad: `Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) ${SAFARI} Version/17.5 Mobile/15E148 Safari/604.1`,
  newerIpad: `Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X) ${SAFARI} Version/19.0 Mobile/15E148 Safari/604.1`,
  app: 'TeaShop/1.2.3 CFNetwork/1474 Darwin/23.0.0',
  newerApp: 'TeaShop/2.0.0 CFNetwork/1568 Darwin/24.0.0',
  otherApp: 'CoffeeShop/1.2.3 CFNetwork/1474 Darwin/23.0.0',
  curl: 'curl/8.4.0',
  newerCurl: 'curl/8.9.1',
  none: undefined,
  empty: '',
} as const;
type Agent = keyof typeof AGENTS;

const as = (agent: Agent) => (AGENTS[agent] === undefined ? {} : { 'user-agent': AGENTS[agent] });
const seeAs = (browser: Browser, agent: Agent): Promise<Reply> =>
  browser.get('/do/see', { headers: as(agent) });
const userAs = async (browser: Browser, agent: Agent) => (await seeAs(browser, agent)).json<Seen>().userId;

async function openWatched(open: OpenApp, onClientChange: 'ignore' | 'notify' | 'revoke', agent: Agent) {
  const app = await open({ options: { onClientChange }, routes: BASICS });
  const ada = app.browser();
  await ada.post('/do/in', undefined, as(agent));
  const told = () => app.events.filter(({ name }) => name === 'client-change');
  return { ...app, ada, told };
}

const SAME: readonly [Agent, Agent][] = [
  ['chrome', 'newerChrome'],
  ['ipad', 'newerIpad'],
  ['ipad', 'safari'],
  ['android', 'androidAsDesktop'],
  ['app', 'newerApp'],
  ['curl', 'newerCurl'],
  ['none', 'empty'],
];
const OTHER: readonly [Agent, Agent][] = [
  ['chrome', 'firefox'],
  ['chrome', 'safari'],
  ['chrome', 'edge'],
  ['chrome', 'windows'],
  ['chrome', 'android'],
  ['chrome', 'curl'],
  ['app', 'otherApp'],
  ['chrome', 'none'],
  ['chrome', 'empty'],
  ['none', 'chrome'],
];

onEachPlatform("onClientChange: 'revoke'", (open) => {
  it.each(SAME)('takes %s and %s for the same client', async (before, after) => {
    const { ada, told } = await openWatched(open, 'revoke', before);
    expect(await userAs(ada, after)).toBe('ada');
    expect(told()).toEqual([]);
  });

  it.each(OTHER)('ends the session of %s that turns up with %s', async (before, after) => {
    const { ada, events, storage } = await openWatched(open, 'revoke', before);
    const thief = await ada.copy();
    expect(await userAs(thief, after)).toBeNull();
    expect(rowsOf(storage)).toEqual([]);
    expect(await userAs(ada, before)).toBeNull();
    const about = { userId: 'ada', sessionId: expect.any(String) as string, ip: '127.0.0.1' };
    expect(events.slice(2)).toEqual([
      expect.objectContaining({ name: 'revoked', reason: 'client-change', ...about }),
      expect.objectContaining({ name: 'client-change', ...about }),
    ]);
  });

  it('is 503 while the session cannot be ended, so that it is not served meanwhile', async () => {
    const { ada, storage } = await openWatched(open, 'revoke', 'chrome');
    storage.fail('delete');
    expect((await seeAs(ada, 'firefox')).status).toBe(503);
    storage.recover();
    expect(await userAs(ada, 'firefox')).toBeNull();
  });

  it('watches sessions that it saw sign in, and nobody who is not signed in', async () => {
    const { app, browser, told } = await openWatched(open, 'revoke', 'chrome');
    const { cookie } = await signIn(app, 'grace');
    for (const agent of ['chrome', 'firefox'] as const) {
      const reply = await browser().get('/do/see', { headers: { ...as(agent), cookie } });
      expect(reply.json<Seen>().userId).toBe('grace');
    }
    const visitor = browser();
    await visitor.post('/do/set', { theme: 'dark' }, as('chrome'));
    expect((await seeAs(visitor, 'firefox')).json<Seen>().data).toEqual({ theme: 'dark' });
    expect(told()).toEqual([]);
  });

  it('is not fooled by what the app keeps as `meta`', async () => {
    const app = await open({
      options: { onClientChange: 'revoke', meta: () => ({ userAgent: null, deviceName: 'hidden' }) },
      routes: BASICS,
    });
    const ada = app.browser();
    await ada.post('/do/in', undefined, as('chrome'));
    expect(await userAs(ada, 'newerChrome')).toBe('ada');
    expect(await userAs(ada, 'firefox')).toBeNull();
  });
});

onEachPlatform("onClientChange: 'notify'", (open) => {
  it('tells once of each session, and serves', async () => {
    const { ada, told, storage } = await openWatched(open, 'notify', 'chrome');
    for (const agent of ['firefox', 'firefox', 'newerChrome', 'none', 'firefox'] as const)
      expect(await userAs(ada, agent)).toBe('ada');
    expect(told()).toHaveLength(1);
    expect(rowsOf(storage)).toHaveLength(1);
    expect(storage.calls).not.toContain('save');
  });

  it('tells no more than that to a thief who names another browser each time', async () => {
    const { ada, told, browser } = await openWatched(open, 'notify', 'chrome');
    for (let n = 0; n < 300; n++) {
      const reply = await ada.get('/do/see', { headers: { 'user-agent': `Thief${n}/1.0` } });
      expect(reply.json<Seen>().userId).toBe('ada');
    }
    expect(told()).toHaveLength(1);
    const again = browser();
    await again.post('/do/in', undefined, as('chrome'));
    await seeAs(again, 'firefox');
    expect(new Set(told().map(({ sessionId }) => sessionId)).size).toBe(2);
  });
});

onEachPlatform('onClientChange by default', (open) => {
  it('is off, and keeps nothing for it', async () => {
    const { ada, told } = await openWatched(open, 'ignore', 'chrome');
    expect(await userAs(ada, 'curl')).toBe('ada');
    expect(told()).toEqual([]);
  });
});

describe('the option `onClientChange`', () => {
  it.each([true, 'log', null])('refuses %j', (onClientChange) => {
    const options = { plaintext: true, onClientChange: onClientChange as 'ignore' };
    expect(() => resolveOptions(options, new ManualClock(0))).toThrow(
      "`onClientChange`: expected 'ignore' or 'notify' or 'revoke', got",
    );
  });
});
