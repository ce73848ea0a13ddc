import type { IncomingMessage, ServerResponse } from 'node:http';

/*
 * Requests and responses of Express and of Fastify, as far as sessions use them.
 */

/** The part of a request that both platforms have. */
export interface ClientRequest {
  readonly ip?: string;
  readonly method?: string;
  /** `http` or `https`; behind a proxy that the platform trusts, what that says. */
  readonly protocol?: string;
  /** Host and port that were addressed; behind a proxy that the platform trusts, what that says. */
  readonly host?: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A request as Express (Node's own, extended) or Fastify (a wrapper with `raw`) gives it. */
export interface PlatformRequest extends ClientRequest {
  readonly raw?: IncomingMessage;
  readonly url?: string;
  readonly originalUrl?: string;
  readonly route?: { readonly path?: string };
  readonly routeOptions?: { readonly url?: string };
  session?: unknown;
}

export type PlatformResponse = ServerResponse | { readonly raw: ServerResponse };

/** The request of Node, which is the same object however many platform objects wrap it. */
export function rawRequest(request: object): object {
  const raw = 'raw' in request ? request.raw : null;
  return typeof raw === 'object' && raw !== null && 'socket' in raw ? raw : request;
}

/** The response of Node. */
export function rawResponse(response: PlatformResponse): ServerResponse {
  return 'raw' in response ? response.raw : response;
}

/** Method and path, for the log: the pattern of the route where the platform knows it, otherwise the path as requested. */
export function routeOf(request: PlatformRequest): string {
  const path =
    request.route?.path ??
    request.routeOptions?.url ??
    (request.originalUrl ?? request.url ?? '').split('?')[0];
  return `${request.method ?? ''} ${path ?? ''}`.trim();
}
