import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

/** An OpenID provider whose user has signed in and agrees: what it says is signed, and it checks what it is told. */
export interface OidcProvider {
  readonly issuer: string;
  /** Goes where the app sends the browser. @returns where the provider sends it back, a path of the app */
  visit(url: string): Promise<string>;
  /** Signs claims as the provider. */
  sign(claims: JWTPayload): Promise<string>;
  close(): void;
}

export const CLIENT = { id: 'app', secret: 'app-secret' };

/**
 * @param claims of the ID token, beside those that each has
 * @param metadata what its discovery document has beside the rest, or `undefined` for what it lacks
 */
export async function openOidcProvider(claims: JWTPayload, metadata: object = {}): Promise<OidcProvider> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  const grants = new Map<string, { challenge: string; nonce: string; redirectUri: string }>();
  let issuer = '';

  const sign = (payload: JWTPayload) =>
    new SignJWT({ jti: randomBytes(8).toString('hex'), ...payload })
      .setProtectedHeader({ alg: 'RS256', kid: 'key' })
      .setIssuer(issuer)
      .setAudience(CLIENT.id)
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey);

  const routes: Record<string, (request: IncomingMessage, url: URL) => Promise<object | URL>> = {
    '/.well-known/openid-configuration': async () => ({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/keys`,
      end_session_endpoint: `${issuer}/end`,
      ...metadata,
    }),
    '/keys': async () => ({ keys: [{ ...(await exportJWK(publicKey)), kid: 'key', alg: 'RS256' }] }),
    '/authorize': async (_, { searchParams }) => {
      const of = (name: string) => searchParams.get(name) ?? '';
      const [code, back] = [randomBytes(16).toString('hex'), new URL(of('redirect_uri'))];
      grants.set(code, { challenge: of('code_challenge'), nonce: of('nonce'), redirectUri: back.href });
      back.searchParams.set('code', code);
      back.searchParams.set('state', of('state'));
      return back;
    },
    '/token': async (request) => {
      const form = new URLSearchParams(await text(request));
      const grant = grants.get(form.get('code') ?? '');
      grants.delete(form.get('code') ?? '');
      const challenge = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url');
      const isClient = form.get('client_id') === CLIENT.id && form.get('client_secret') === CLIENT.secret;
      if (!isClient || grant?.challenge !== challenge || form.get('redirect_uri') !== grant.redirectUri)
        throw new Error('invalid_grant');
      const token = await sign({ ...claims, nonce: grant.nonce });
      return { access_token: 'access', token_type: 'Bearer', id_token: token };
    },
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '', issuer);
    try {
      const result = await routes[url.pathname]?.(request, url);
      if (result instanceof URL) response.writeHead(302, { Location: result.href }).end();
      else response.setHeader('Content-Type', 'application/json').end(JSON.stringify(result));
    } catch {
      response.writeHead(400, { 'Content-Type': 'application/json' }).end('{"error":"invalid_grant"}');
    }
  };
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    sign,
    async visit(url) {
      const response = await fetch(url, { redirect: 'manual' });
      const back = new URL(response.headers.get('Location') ?? '');
      return back.pathname + back.search;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
