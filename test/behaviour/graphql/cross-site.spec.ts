import { rowsOf } from '../../support/storage.js';
import { type Answer, codesOf, onEachDriver, openSignedIn, type Steps } from './support/open-graphql.js';

const STEPS: Steps = {
  signIn: (session) => session.authenticate('ada'),
  put: (session) => void (session.data['value'] = 'kept'),
  value: ({ data }) => data['value'],
  rotate: (session) => session.rotate(),
};
/** What a browser says for a page of another site, each in its way. */
const FOREIGN = [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }, { origin: 'null' }];
const FRIENDLY = [
  { 'sec-fetch-site': 'same-origin', origin: 'https://app.test' },
  { origin: 'https://app.test' },
  { 'sec-fetch-site': 'none' },
  {},
];

onEachDriver('a page of another site', (open) => {
  it.each(FOREIGN)('reads, by POST as by GET, and changes nothing: %p', async (headers) => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    expect((await ask(ada, '{ who news }', headers)).json()).toEqual({ data: { who: 'ada', news: 'news' } });
    const get = await ada.get('/graphql?query=%7Bwho%7D', {
      headers: { ...headers, 'content-type': 'application/json' },
    });
    expect(get.json()).toEqual({ data: { who: 'ada' } });
    expect(codesOf((await ask(ada, '{ read(step: "put") }', headers)).json<Answer>())).toEqual({
      read: 'cross_site_request',
    });
    const changing = await ada.get('/graphql?query=%7Bread(step:%22put%22)%7D', {
      headers: { ...headers, 'content-type': 'application/json' },
    });
    expect(codesOf(changing.json<Answer>())).toEqual({ read: 'cross_site_request' });
    expect((await ask(ada, '{ read(step: "value") }')).json()).toEqual({ data: { read: null } });
    expect(storage.calls).not.toContain('save');
  });

  it.each(FOREIGN)('runs no mutation that has a session: %p', async (headers) => {
    let calls = 0;
    const steps: Steps = { counted: () => void calls++ };
    const { ask, ada } = await openSignedIn(open, { steps });
    const reply = await ask(ada, 'mutation { change(step: "counted") }', headers);
    expect(codesOf(reply.json<Answer>())).toEqual({ change: 'cross_site_request' });
    expect([calls, reply.setCookies]).toEqual([0, []]);
  });

  it.each(FOREIGN)('begins no session and signs nobody in: %p', async (headers) => {
    const { ask, browser, storage } = await open({ steps: STEPS });
    for (const query of [
      'mutation { f: change(step: "put") }',
      'mutation { f: change(step: "signIn") }',
      '{ f: read(step: "put") }',
      '{ f: read(step: "signIn") }',
    ]) {
      const reply = await ask(browser(), query, headers);
      expect(codesOf(reply.json<Answer>())).toEqual({ f: 'cross_site_request' });
      expect(reply.setCookies).toEqual([]);
    }
    expect(rowsOf(storage)).toEqual([]);
  });

  it('has the queries of its batch answered, and the mutations refused', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    const batch = ['{ who }', 'mutation { change(step: "put") }', '{ news }'];
    const answers = (await ask(ada, batch, { 'sec-fetch-site': 'cross-site' })).json<Answer[]>();
    expect(answers.map(({ data }) => data)).toEqual([{ who: 'ada' }, { change: null }, { news: 'news' }]);
    expect(answers.map(codesOf)).toEqual([{}, { change: 'cross_site_request' }, {}]);
    expect(storage.calls).toEqual(['find']);
  });

  it('rotates no token, and its query is no use of the session', async () => {
    const options = { rotation: { every: '1h' } };
    const { ask, ada, clock, store, storage } = await openSignedIn(open, { steps: STEPS, options });
    clock.advance('2h');
    const reply = await ask(ada, '{ who }', { 'sec-fetch-site': 'cross-site' });
    await store.manager.drain();
    expect([reply.setCookies, storage.calls]).toEqual([[], ['find']]);
    expect((await ask(ada, '{ who }')).setCookies).toHaveLength(1);
  });

  it('may do all if its origin is listed, or with csrf: false', async () => {
    for (const csrf of [{ origins: ['https://evil.example'] }, false] as const) {
      const { ask, ada } = await openSignedIn(open, { steps: STEPS, options: { csrf } });
      const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
      const mutation = 'mutation { change(step: "put") }';
      expect((await ask(ada, mutation, headers)).json()).toEqual({ data: { change: null } });
    }
  });
});

onEachDriver('a page of this site', (open) => {
  it.each(FRIENDLY)('asks and changes: %p', async (headers) => {
    const { ask, ada } = await openSignedIn(open, { steps: STEPS });
    expect((await ask(ada, '{ who }', headers)).json()).toEqual({ data: { who: 'ada' } });
    expect((await ask(ada, 'mutation { change(step: "put") }', headers)).json()).toEqual({
      data: { change: null },
    });
    expect((await ask(ada, '{ read(step: "value") }', headers)).json()).toEqual({ data: { read: 'kept' } });
  });
});

/** Requests that a form of another site sends without asking first (simple requests). */
const SIMPLE = [
  ['text/plain', JSON.stringify({ query: 'mutation { change(step: "put") }' })],
  [
    'application/x-www-form-urlencoded',
    new URLSearchParams({ query: 'mutation { change(step: "put") }' }).toString(),
  ],
] as const;

onEachDriver('a form of another site', (open, driver) => {
  it.each(SIMPLE)('changes nothing as %s, even without the protection of the driver', async (type, body) => {
    const graphql = driver === 'Mercurius' ? {} : { csrfPrevention: false };
    const { ada, ask, port, storage } = await openSignedIn(open, { steps: STEPS, graphql });
    const cookie = `__Host-sid=${(await ada.cookie()) ?? ''}`;
    const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
      method: 'POST',
      headers: {
        cookie,
        'content-type': type,
        origin: 'https://evil.example',
        'sec-fetch-site': 'cross-site',
      },
      body,
    });
    expect(await response.text()).toMatch(/"errors":\[/);
    expect(storage.calls).not.toContain('save');
    expect((await ask(ada, '{ read(step: "value") }')).json()).toEqual({ data: { read: null } });
  });

  it('changes nothing by GET', async () => {
    const { ada, storage } = await openSignedIn(open, { steps: STEPS });
    const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'cross-site' };
    const query = encodeURIComponent('mutation { change(step: "put") }');
    const reply = await ada.get(`/graphql?query=${query}`, { headers });
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(storage.calls).not.toContain('save');
  });
});
