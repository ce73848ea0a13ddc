import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { escapeHtml } from './page.js';

/*
 * An identity provider, so that the example runs by itself: the authorization code flow with PKCE, for one client, on an
 * origin of its own. It believes every name. In your app somebody else runs it, and this file is not there.
 */

interface Client {
  readonly id: string;
  readonly secret: string;
  readonly redirectUri: string;
}

/** What a code stands for until it is exchanged, once. */
interface Grant {
  readonly name: string;
  readonly challenge: string;
  readonly expiresAt: number;
}

/** How long a code is good for, in milliseconds. @see RFC 6749, section 4.1.2: ten minutes at most */
const CODE_LIFETIME = 60_000;

export function serveProvider(port: number, client: Client): void {
  const grants = new Map<string, Grant>();
  const accessTokens = new Map<string, string>();

  /** Asks who it is, and whether the app may know. */
  function ask(query: URLSearchParams, response: ServerResponse): void {
    const isOurs = query.get('client_id') === client.id && query.get('redirect_uri') === client.redirectUri;
    // An address that is not registered gets no redirect: it could be anybody's.
    if (!isOurs) return answer(response, 400, { error: 'invalid_request' });
    const isFlow = query.get('response_type') === 'code' && query.get('code_challenge_method') === 'S256';
    if (!isFlow || !query.get('code_challenge')) return answer(response, 400, { error: 'invalid_request' });
    const kept = ['state', 'code_challenge'].map(
      (name) => `<input type="hidden" name="${name}" value="${escapeHtml(query.get(name) ?? '')}">`,
    );
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(
      `<!doctype html><html lang="en"><meta charset="utf-8"><title>Provider</title><h1>The provider</h1>
      <form method="post" action="/authorize">${kept.join('')}
        <p><label>Who are you? <input name="name" required></label></p>
        <button>Let the app know</button>
      </form></html>`,
    );
  }

  /** Sends the browser back with a code. */
  function allow(form: URLSearchParams, response: ServerResponse): void {
    const code = randomBytes(32).toString('base64url');
    grants.set(code, {
      name: form.get('name') ?? '',
      challenge: form.get('code_challenge') ?? '',
      expiresAt: Date.now() + CODE_LIFETIME,
    });
    const back = new URL(client.redirectUri);
    back.search = new URLSearchParams({ code, state: form.get('state') ?? '' }).toString();
    response.writeHead(303, { Location: back.href }).end();
  }

  /** Exchanges a code for a token: once, in time, by the client that it was made for, with the verifier. */
  function exchange(form: URLSearchParams, response: ServerResponse): void {
    if (form.get('client_id') !== client.id || !isSame(form.get('client_secret') ?? '', client.secret))
      return answer(response, 401, { error: 'invalid_client' });
    const code = form.get('code') ?? '';
    const grant = grants.get(code);
    grants.delete(code);
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isGood =
      form.get('grant_type') === 'authorization_code' &&
      form.get('redirect_uri') === client.redirectUri &&
      grant !== undefined &&
      grant.expiresAt > Date.now() &&
      isSame(challenge, grant.challenge);
    if (!isGood) return answer(response, 400, { error: 'invalid_grant' });
    const token = randomBytes(32).toString('base64url');
    accessTokens.set(token, grant.name);
    answer(response, 200, { access_token: token, token_type: 'Bearer', expires_in: 3600 });
  }

  /** Who the token is about. */
  function tell(request: IncomingMessage, response: ServerResponse): void {
    const name = accessTokens.get(request.headers.authorization?.replace(/^Bearer /, '') ?? '');
    if (name === undefined) return answer(response, 401, { error: 'invalid_token' });
    answer(response, 200, { sub: createHash('sha256').update(name).digest('hex'), name });
  }

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', client.redirectUri);
    const withForm = (then: (form: URLSearchParams, response: ServerResponse) => void): void => {
      text(request).then(
        (body) => then(new URLSearchParams(body), response),
        () => response.destroy(),
      );
    };
    const route = `${request.method} ${pathname}`;
    if (route === 'GET /authorize') ask(searchParams, response);
    else if (route === 'POST /authorize') withForm(allow);
    else if (route === 'POST /token') withForm(exchange);
    else if (route === 'GET /userinfo') tell(request, response);
    else answer(response, 404, { error: 'not_found' });
  });
  server.listen(port);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close());
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  response.end(JSON.stringify(body));
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [given, expected].map((one) => createHash('sha256').update(one).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
