import {
  type ListenerEvents,
  type RedisConnection,
  type RedisListener,
  type RedisServer,
  type Reply,
  type Word,
} from './redis-connection.js';
import { BYTES, type NodeClient, together } from './node-redis-connection.js';

/** What is used of a client of `createSentinel` of `redis` (node-redis), versions 5 and 6. */
export interface NodeRedisSentinel {
  /** Runs a function with a client of the primary, once there is one. */
  _execute(isReadonly: boolean, call: (client: never) => Promise<unknown>): Promise<unknown>;
  /** Where the primary is; `undefined`: that is not known. */
  getMasterNode(): { readonly host: string; readonly port: number } | undefined;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  unsubscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  on(event: string, listener: (...args: never[]) => void): unknown;
  off(event: string, listener: (...args: never[]) => void): unknown;
}

/** What became of a call: errors are not thrown where the library would take them for a reason to call again. */
type Outcome = { readonly reply: unknown } | { readonly error: unknown };

const nothing = (): void => undefined;

/** Whether it is a client of `createSentinel`. */
export function isNodeRedisSentinel(client: object): client is NodeRedisSentinel {
  return ['_execute', 'getMasterNode', 'subscribe', 'unsubscribe'].every(
    (name) => typeof Reflect.get(client, name) === 'function',
  );
}

/**
 * A connection of `redis` (node-redis) by way of Sentinel. While there is no primary, calls wait for the next one.
 *
 * Replies in bytes are asked for command by command: `withTypeMapping` of such a client of version 5 changes the client itself.
 */
export class NodeRedisSentinelConnection implements RedisConnection {
  readonly isCluster = false;
  readonly #client: NodeRedisSentinel;
  /** Resolves when the call before has got its connection. */
  #turn: Promise<void> = Promise.resolve();

  constructor(client: NodeRedisSentinel) {
    this.#client = client;
  }

  send(_key: string, words: readonly Word[]): Promise<Reply> {
    return this.#run((client) => client.sendCommand(words, BYTES));
  }

  sendTogether(_key: string, commands: ReadonlyArray<readonly Word[]>): Promise<readonly Reply[]> {
    return this.#run((client) => together(client.withTypeMapping(BYTES.typeMapping), commands));
  }

  async masters(): Promise<readonly RedisServer[]> {
    const node = this.#client.getMasterNode();
    const name = node ? `${node.host}:${node.port}` : 'the primary';
    return [{ name, send: (words) => this.send('', words) }];
  }

  /**
   * The client moves what it has subscribed to the next primary, and says so. When it has lost the connection for another reason it
   * only says that there was an error, so it subscribes anew after each.
   */
  async openListener(events: ListenerEvents): Promise<RedisListener> {
    const client = this.#client;
    const listener = (message: string): void => events.onMessage(message);
    let channel: string | null = null;
    let isRenewing = false;
    let isClosed = false;
    const leave = async (): Promise<void> => {
      if (channel !== null) await client.unsubscribe(channel, listener).catch(() => undefined);
    };
    const onError = (): void => {
      if (isRenewing) return;
      isRenewing = true;
      void leave().then(() => {
        isRenewing = false;
        if (!isClosed) events.onReady();
      }); // never rejects
    };
    const onChange = ({ type }: { readonly type: string }): void => {
      if (type === 'MASTER_CHANGE') events.onReady();
    };
    client.on('topology-change', onChange);
    client.on('error', onError);
    events.onReady();
    return {
      subscribe: (name) => {
        channel = name;
        return client.subscribe(name, listener);
      },
      close: async () => {
        isClosed = true;
        client.off('topology-change', onChange);
        client.off('error', onError);
        await leave();
      },
    };
  }

  async publish(channel: string, message: string): Promise<unknown> {
    return this.send('', ['PUBLISH', channel, message]);
  }

  /** The client is the app's. */
  async close(): Promise<void> {}

  /**
   * Calls with a client of the primary. The library would call again whenever the connection is lost, even if the server has done
   * what it was sent: only what a replica has refused may be sent again by it.
   */
  async #run<R>(call: (client: NodeClient) => Promise<R>): Promise<R> {
    const outcome = (await this.#inTurn(async (client) => {
      try {
        return { reply: await call(client) };
      } catch (error) {
        if (error instanceof Error && error.message.startsWith('READONLY')) throw error;
        return { error };
      }
    })) as Outcome;
    if ('error' in outcome) throw outcome.error;
    return outcome.reply as R;
  }

  /**
   * Begins one call after the other, and lets them wait for replies together. Of calls that begin at once each takes a connection of
   * the pool, and the library gives only one of them back.
   */
  async #inTurn(call: (client: NodeClient) => Promise<Outcome>): Promise<unknown> {
    const before = this.#turn;
    let begun = nothing;
    this.#turn = new Promise((resolve) => (begun = resolve));
    await before;
    try {
      // oxlint-disable-next-line no-underscore-dangle -- its public methods give no connection without taking it from the pool
      return await this.#client._execute(false, (client: NodeClient) => {
        begun();
        return call(client);
      });
    } finally {
      begun();
    }
  }
}
