import type { EventEmitter } from 'node:events';
import {
  type ListenerEvents,
  type RedisConnection,
  type RedisListener,
  type RedisServer,
  type Reply,
  type Word,
} from './redis-connection.js';

/** What is used of a client of `redis` (node-redis), versions 5 and 6: that of `createClient` or of `createCluster`. */
export interface NodeRedisClient {
  sendCommand(...args: never[]): Promise<unknown>;
  duplicate(...overrides: never[]): unknown;
  multi(...args: never[]): unknown;
  /** The same client, with replies of other types. It is what tells these clients from others. */
  withTypeMapping(mapping: never): unknown;
}

/**
 * Bulk strings as bytes: `RESP_TYPES.BLOB_STRING` is the sign that such a reply begins with. Commands are given it each time,
 * since `sendCommand` of version 5 does not heed `withTypeMapping`; lists of commands take it from there.
 */
export const BYTES = { typeMapping: { ['$'.charCodeAt(0)]: Buffer } } as const;

/** What is used of a client of one server. */
export interface NodeClient {
  sendCommand(words: readonly Word[], options: typeof BYTES): Promise<Reply>;
  withTypeMapping(mapping: typeof BYTES.typeMapping): NodeClient;
  multi(): { addCommand(words: readonly Word[]): unknown; execAsPipeline(): Promise<readonly Reply[]> };
}

interface Cluster {
  readonly masters: ReadonlyArray<{ readonly address: string }>;
  nodeClient(node: object): NodeRedisClient | Promise<NodeRedisClient>;
  sendCommand(
    key: string | undefined,
    isReadonly: boolean,
    words: readonly Word[],
    options: typeof BYTES,
  ): Promise<Reply>;
  multi(): {
    addCommand(key: string | undefined, isReadonly: boolean, words: readonly Word[]): unknown;
    execAsPipeline(): Promise<readonly Reply[]>;
  };
}

/** What is used of a client that listens. */
interface Listener extends EventEmitter {
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  destroy(): unknown;
}

/** Whether it is a client of `redis` for one server, or for a Cluster. */
export function isNodeRedis(client: object): client is NodeRedisClient {
  return ['sendCommand', 'withTypeMapping', 'multi', 'duplicate'].every(
    (name) => typeof Reflect.get(client, name) === 'function',
  );
}

/** A connection of `redis` (node-redis). The app connects the client before. */
export class NodeRedisConnection implements RedisConnection {
  readonly isCluster: boolean;
  readonly #client: NodeRedisClient;
  readonly #bytes: NodeRedisClient;

  constructor(client: NodeRedisClient) {
    this.#client = client;
    this.#bytes = client.withTypeMapping(BYTES.typeMapping as never) as NodeRedisClient;
    this.isCluster = typeof Reflect.get(client, 'nodeClient') === 'function';
  }

  send(key: string, words: readonly Word[]): Promise<Reply> {
    return this.isCluster
      ? (this.#client as unknown as Cluster).sendCommand(key, false, words, BYTES)
      : (this.#client as unknown as NodeClient).sendCommand(words, BYTES);
  }

  async sendTogether(key: string, commands: ReadonlyArray<readonly Word[]>): Promise<readonly Reply[]> {
    if (this.isCluster) {
      const multi = (this.#bytes as unknown as Cluster).multi();
      for (const words of commands) multi.addCommand(key, false, words);
      return multi.execAsPipeline();
    }
    return together(this.#bytes as unknown as NodeClient, commands);
  }

  async masters(): Promise<readonly RedisServer[]> {
    if (!this.isCluster) return [{ name: 'the server', send: (words) => this.send('', words) }];
    const cluster = this.#client as unknown as Cluster;
    return Promise.all(
      cluster.masters.map(async (master) => {
        const client = (await cluster.nodeClient(master)) as unknown as NodeClient;
        return { name: master.address, send: (words: readonly Word[]) => client.sendCommand(words, BYTES) };
      }),
    );
  }

  async openListener(events: ListenerEvents): Promise<RedisListener> {
    const listener = this.#client.duplicate() as Listener;
    // One function: it would be called once for each that has been subscribed.
    const onMessage = (message: string): void => events.onMessage(message);
    listener.on('ready', () => events.onReady());
    listener.on('error', (error: unknown) => events.onError(error));
    await listener.connect();
    if (this.isCluster) events.onReady(); // of single connections, a cluster tells nothing
    return {
      subscribe: (channel) => listener.subscribe(channel, onMessage),
      close: async () => listener.destroy(),
    };
  }

  async publish(channel: string, message: string): Promise<unknown> {
    const words = ['PUBLISH', channel, message];
    return this.isCluster
      ? (this.#client as unknown as Cluster).sendCommand(undefined, false, words, BYTES)
      : this.send('', words);
  }

  /** The client is the app's. */
  async close(): Promise<void> {}
}

/** Sends several commands on the connection of a client that replies in bytes. */
export function together(
  client: NodeClient,
  commands: ReadonlyArray<readonly Word[]>,
): Promise<readonly Reply[]> {
  const multi = client.multi();
  for (const words of commands) multi.addCommand(words);
  return multi.execAsPipeline();
}
