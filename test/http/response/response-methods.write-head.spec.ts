import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { onEachPlatform, type OpenApp } from '../../support/open-app.js';
import { BASICS } from '../../support/session-routes.js';

async function answered(open: OpenApp, answer: (response: ServerResponse) => unknown) {
  const { browser } = await open({
    routes: {
      answer: async ({ session }, response) => {
        await session.authenticate('ada');
        return answer(response);
      },
    },
  });
  return browser().get('/raw/answer');
}

const OURS = expect.stringMatching(/^__Host-sid=/);

onEachPlatform('headers given to writeHead', (open) => {
  const given: [string, (response: ServerResponse) => ServerResponse][] = [
    ['an object', (response) => response.writeHead(202, { 'X-App': 'yes', 'Set-Cookie': ['a=1', 'b=2'] })],
    [
      'an object behind a reason',
      (response) => response.writeHead(202, 'Fine', { 'X-App': 'yes', 'Set-Cookie': ['a=1', 'b=2'] }),
    ],
    [
      'an object behind a reason that is undefined',
      (response) => response.writeHead(202, undefined, { 'X-App': 'yes', 'Set-Cookie': ['a=1', 'b=2'] }),
    ],
    [
      'a flat list',
      (response) => response.writeHead(202, ['X-App', 'yes', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']),
    ],
    [
      'a flat list with a list in it',
      (response) => response.writeHead(202, ['X-App', 'yes', 'Set-Cookie', ['a=1', 'b=2']] as never),
    ],
    [
      'a list of pairs',
      (response) =>
        response.writeHead(202, [
          ['X-App', 'yes'],
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2'],
        ] as never),
    ],
  ];

  it.each(given)('arrive beside ours: %s', async (_, head) => {
    const reply = await answered(open, (response) => head(response).end('ok'));
    expect([reply.status, reply.text, reply.headers['x-app']]).toEqual([202, 'ok', 'yes']);
    expect(reply.setCookies).toEqual(['a=1', 'b=2', OURS]);
    expect(reply.headers).toMatchObject({ 'cache-control': 'no-store', vary: 'Cookie' });
  });

  it('win over those set before, as without us', async () => {
    const headers: OutgoingHttpHeaders = { 'X-App': 'yes', Vary: 'Accept' };
    const reply = await answered(open, (response) => {
      response.setHeader('X-App', 'no').setHeader('Vary', 'Origin');
      response.writeHead(200, headers).end();
    });
    expect(reply.headers).toMatchObject({ 'x-app': 'yes', vary: 'Accept, Cookie' });
  });

  it('that Node refuses leave room for another answer, which says what has become of the session since', async () => {
    const { browser, store } = await open({
      routes: {
        ...BASICS,
        out: async ({ session }, response) => {
          try {
            response.writeHead(200, { 'Content-Disposition': 'attachment; filename="報告.pdf"' });
          } catch {
            await session.logout();
            response.writeHead(200);
          }
          response.end('signed out');
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    const reply = await ada.get('/raw/out');
    expect([reply.status, reply.text]).toEqual([200, 'signed out']);
    expect(reply.setCookies).toEqual([expect.stringMatching(/^__Host-sid=; Max-Age=0/)]);
    expect(await store.listForUser('ada')).toEqual([]);
  });
});
