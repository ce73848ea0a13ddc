// Sends requests from a process of its own, whose heap is not sampled: `node load.mjs <port>`, with a channel.
import { once } from 'node:events';
import { Agent, request } from 'node:http';

/** Fewer than the sessions that a user may have. */
const CONNECTIONS = 8;

const port = Number(process.argv[2]);
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
const cookies = await Promise.all(Array.from({ length: CONNECTIONS }, () => signIn()));

process.on('message', ({ kind, count }) => {
  send(kind, count).then(
    () => process.send({ failure: null }),
    (error) => process.send({ failure: String(error) }),
  );
});

/** Each connection has a session of its own. */
async function send(kind, count) {
  let left = count;
  await Promise.all(
    cookies.map(async (cookie) => {
      while (left-- > 0) await exchange(kind, kind === 'sign-in' ? undefined : cookie);
    }),
  );
}

async function signIn() {
  const cookie = (await exchange('sign-in')).headers['set-cookie']
    .map((line) => line.split(';', 1)[0])
    .join('; ');
  await exchange('save', cookie);
  return cookie;
}

async function exchange(kind, cookie) {
  const method = kind === 'read' ? 'GET' : 'POST';
  const headers = cookie === undefined ? {} : { cookie };
  const outgoing = request({
    agent,
    port: port,
    host: '127.0.0.1',
    method,
    path: `/${kind}`,
    headers,
  });
  outgoing.end();
  const [response] = await once(outgoing, 'response');
  response.resume();
  await once(response, 'end');
  if (response.statusCode >= 300) throw new Error(`${method} /${kind}: ${response.statusCode}`);
  return response;
}
