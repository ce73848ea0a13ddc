import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Answer, Driver } from './open-graphql.js';

/** Options of GraphQLModule that have each driver take operations over a socket. */
export const OVER_SOCKETS: Record<Driver, object> = {
  'Apollo on Express': { subscriptions: { 'graphql-ws': true } },
  'Apollo on Fastify': { subscriptions: { 'graphql-ws': true } },
  Mercurius: { subscription: { fullWsTransport: true } },
};

/** What a subscription sends. */
export interface Heard {
  /** What comes next; `null`: it has ended. */
  next(): Promise<Answer | null>;
}

/** A socket for operations, as a page of the app has it. */
export interface GraphqlSocket {
  /** The first answer to an operation. */
  ask(query: string): Promise<Answer>;
  subscribe(query: string): Heard;
  /** How it has ended, each time: `1008 logout`. */
  readonly ends: readonly string[];
  /** Resolves when it has ended that many times. */
  ended(times?: number): Promise<string>;
  /** How many sockets it has opened. */
  readonly opened: number;
}

export interface Opening {
  readonly cookie?: () => string;
  readonly headers?: Readonly<Record<string, string>>;
  /** @default '/graphql' */
  readonly path?: string;
  readonly connectionParams?: Record<string, unknown>;
  /** What it waits for before it comes back. @default it does not come back */
  readonly comesBackAfter?: () => Promise<void>;
}

const clients = new Set<{ dispose(): unknown }>();

/** Closes what a test has left open. */
export async function closeGraphqlSockets(): Promise<void> {
  for (const client of clients) await client.dispose();
  clients.clear();
}

/** A client of graphql-ws, as the pages of most apps have it. It opens its socket at once. */
export function openGraphqlSocket(port: number, opening: Opening = {}): GraphqlSocket {
  const { cookie, headers, connectionParams, comesBackAfter, path = '/graphql' } = opening;
  class FromPage extends WebSocket {
    constructor(url: string, protocols: string | string[]) {
      const page = { host: 'app.test', origin: 'https://app.test' };
      super(url, protocols, { headers: { ...page, ...(cookie && { cookie: cookie() }), ...headers } });
    }
  }
  const ends: string[] = [];
  const waiting: (() => void)[] = [];
  let opened = 0;
  const client = createClient({
    url: `ws://127.0.0.1:${port}${path}`,
    webSocketImpl: FromPage,
    retryAttempts: comesBackAfter ? 5 : 0,
    ...(comesBackAfter && { retryWait: comesBackAfter }),
    lazy: false,
    ...(connectionParams && { connectionParams }),
    onNonLazyError: () => undefined,
    on: {
      connected: () => void opened++,
      closed: (event) => {
        const { code, reason } = event as { code: number; reason: string };
        ends.push(`${code} ${reason}`);
        for (const go of waiting.splice(0)) go();
      },
    },
  });
  clients.add(client);
  const subscribe = (query: string): Heard => {
    const come: (Answer | null)[] = [];
    const asked: ((answer: Answer | null) => void)[] = [];
    const put = (answer: Answer | null): void => {
      const ask = asked.shift();
      if (ask) ask(answer);
      else come.push(answer);
    };
    client.subscribe(
      { query },
      {
        next: (answer) => put(answer as Answer),
        error: (error) => {
          if (Array.isArray(error)) put({ errors: error as NonNullable<Answer['errors']> });
          put(null);
        },
        complete: () => put(null),
      },
    );
    return {
      next: () =>
        come.length > 0
          ? Promise.resolve(come.shift() ?? null)
          : new Promise((resolve) => asked.push(resolve)),
    };
  };
  return {
    ends,
    get opened() {
      return opened;
    },
    subscribe,
    ask: async (query) => (await subscribe(query).next()) ?? {},
    ended: async (times = 1) => {
      while (ends.length < times) await new Promise<void>((resolve) => waiting.push(resolve));
      return ends[times - 1] ?? '';
    },
  };
}
