import type { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import type { IncomingMessage } from 'node:http';
import type { HttpRuntime } from '../http-options.js';
import { withAdapter } from '../platform/http-adapter.js';
import { rawRequest } from '../platform/platform-request.js';
import { prepareSchema, type Schema } from './graphql-schema.js';
import { guardGraphqlServer } from './guard-server.js';
import { isWsServer, type WsClient, type WsServer } from './socket-kinds.js';
import { keepUpgrade, openGraphqlSocket } from './socket-sessions.js';
import { loadUpgrade, refusalOf, type UpgradeRefusal } from './upgrade.js';

/*
 * Stands before the sockets over which operations of GraphQL come. Neither a driver nor a server is imported: they are known by
 * their shape. What is not found stays as it is, so that its operations have no session, and what needs a user is refused.
 */

/** What `@nestjs/graphql` calls its module. */
const GRAPHQL_MODULE = 'GraphQLModule';

/** The module of `@nestjs/graphql`, as far as it is used here. */
interface GraphqlModule {
  readonly graphQlAdapter?: object;
  readonly completeOptions?: { readonly path?: string; readonly schema?: Schema };
}

/**
 * Prepares the schemas, and the servers of ws that drivers keep which serve subscriptions by graphql-ws. To be called when the
 * modules have been initialised.
 *
 * @param areGuardsReplaced whether a test has put its own guards in the place of ours
 */
export function guardGraphql(
  runtime: HttpRuntime,
  modules: ModulesContainer,
  areGuardsReplaced: () => boolean,
): void {
  for (const { graphQlAdapter, completeOptions } of graphqlModules(modules)) {
    if (completeOptions?.schema) prepareSchema(completeOptions.schema, areGuardsReplaced);
    const services = graphQlAdapter === undefined ? [] : Object.values(graphQlAdapter);
    for (const server of services.flatMap(serverIn)) guardGraphqlServer(runtime, server);
  }
}

/** The server in a service for subscriptions. */
function serverIn(service: unknown): WsServer[] {
  const server = isObject(service) && 'wss' in service ? service.wss : null;
  return isObject(server) && isWsServer(server) ? [server] : [];
}

/** Sockets of Mercurius are opened by a route of Fastify: from now on it checks the upgrades. */
export function guardGraphqlRoutes(
  runtime: HttpRuntime,
  host: HttpAdapterHost,
  modules: ModulesContainer,
): void {
  withAdapter(host, (adapter) => {
    if (adapter.getType() !== 'fastify') return;
    const fastify = adapter.getInstance<Fastify>();
    fastify.addHook?.('onRoute', (route) => {
      const { wsHandler: handle } = route;
      if (handle === undefined || !isGraphql(route, modules)) return;
      const before = route.onRequest ?? [];
      route.onRequest = [(request, reply) => check(runtime, request, reply), ...[before].flat()];
      route.wsHandler = (client, request) => {
        openGraphqlSocket(runtime, client, rawRequest(request) as IncomingMessage);
        return handle(client, request);
      };
    });
  });
}

function isGraphql({ url }: Route, modules: ModulesContainer): boolean {
  return graphqlModules(modules).some(({ completeOptions }) => completeOptions?.path === url);
}

/** Loads the session of an upgrade, and answers it before anything is open if it is refused. Other requests pass. */
async function check(runtime: HttpRuntime, request: UpgradeRequest, reply: Reply): Promise<unknown> {
  if (request.ws !== true) return undefined;
  try {
    keepUpgrade(rawRequest(request) as IncomingMessage, await loadUpgrade(runtime, request));
    return undefined;
  } catch (error) {
    const { status, headers, body }: UpgradeRefusal = refusalOf(runtime, request, error);
    return reply.code(status).headers(headers).send(body);
  }
}

function graphqlModules(modules: ModulesContainer): GraphqlModule[] {
  return [...modules.values()]
    .filter(({ metatype }) => metatype.name === GRAPHQL_MODULE)
    .map(({ instance }) => instance as GraphqlModule);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

interface Fastify {
  addHook?(name: 'onRoute', hook: (route: Route) => void): void;
}

type OnRequest = (request: UpgradeRequest, reply: Reply) => Promise<unknown>;

interface Route {
  readonly url: string;
  onRequest?: OnRequest | OnRequest[];
  wsHandler?: (client: WsClient, request: UpgradeRequest) => unknown;
}

/** `ws`: whether it is an upgrade to a socket. */
type UpgradeRequest = Parameters<typeof loadUpgrade>[1] & { readonly ws?: boolean };

interface Reply {
  code(status: number): Reply;
  headers(headers: Readonly<Record<string, string>>): Reply;
  send(body: string): Reply;
}
