import type { EventEmitter } from 'node:events';
import { SessionOptionsError } from '../../../core/session-errors.js';
import {
  type ListenerEvents,
  type RedisConnection,
  type RedisListener,
  type RedisServer,
  type Reply,
  type Word,
} from './redis-connection.js';

/** What is used of a client of `ioredis`, versions 5 and 6: a `Redis` or a `Cluster`. */
export interface IoRedisClient {
  /** Options of the client. */
  readonly options: object;
  /** Whether it is a `Cluster`. */
  readonly isCluster?: boolean;
  pipeline(): unknown;
  duplicate(...overrides: never[]): unknown;
  /** Sends `EVALSHA` and gives the reply as bytes. It is what tells these clients from others. */
  evalshaBuffer?(...words: never[]): Promise<unknown>;
}

/** A method of a client that sends a command. */
type SendsCommand = (...words: readonly Word[]) => Promise<Reply>;

/** A list of commands that leave together. */
interface Pipeline {
  exec(): Promise<ReadonlyArray<readonly [Error | null, Reply]> | null>;
}

/** What is used of a client that listens. */
interface Listener extends EventEmitter {
  subscribe(channel: string): Promise<unknown>;
  disconnect(): void;
}

/** Whether it is a client of `ioredis`. */
export function isIoRedis(client: object): client is IoRedisClient {
  return typeof Reflect.get(client, 'evalshaBuffer') === 'function' && 'options' in client;
}

/**
 * A connection of `ioredis`. Commands are sent by the method of their name that gives bytes. By `callBuffer` they are only added
 * to lists: on a client, it loses the name of the command when `enableAutoPipelining` is on.
 */
export class IoRedisConnection implements RedisConnection {
  readonly isCluster: boolean;
  readonly #client: IoRedisClient;
  readonly #isOwn: boolean;
  /**
   * Whether a pipeline that the client makes by itself may ask the wrong server of a Cluster: when one command of it is sent
   * on to where its key has gone, all that read go there, and find nothing of what has not gone yet. Alone in a pipeline,
   * none is asked wrongly.
   */
  readonly #mayMisdirect: boolean;
  /** What became of the connection of our own client last; `null`: nothing to speak of. */
  #lastError: Error | null = null;

  constructor(client: IoRedisClient, isOwn: boolean) {
    this.#client = client;
    this.#isOwn = isOwn;
    if (isOwn) (client as unknown as EventEmitter).on('error', (error: Error) => (this.#lastError = error));
    this.isCluster = client.isCluster === true;
    this.#mayMisdirect = this.isCluster && Reflect.get(client.options, 'enableAutoPipelining') === true;
    const scaleReads: unknown = Reflect.get(client.options, 'scaleReads');
    if (this.isCluster && scaleReads !== undefined && scaleReads !== 'master') {
      throw new SessionOptionsError(
        '`scaleReads` of the Cluster client: expected "master", since a replica may not know yet that a session has ended. ' +
          'Give the sessions a client of their own',
      );
    }
  }

  send(key: string, words: readonly Word[]): Promise<Reply> {
    if (this.#mayMisdirect) return this.sendTogether(key, [words]).then(([reply]) => reply);
    return this.#explained(call(this.#client, words));
  }

  sendTogether(_key: string, commands: ReadonlyArray<readonly Word[]>): Promise<readonly Reply[]> {
    return this.#explained(this.#sendTogether(commands));
  }

  #explained<R>(reply: Promise<R>): Promise<R> {
    return this.#isOwn ? reply.catch((error: unknown) => this.#explain(error)) : reply;
  }

  /** Of a lost connection ioredis says to each call how often it tries again, which is never, and only to listeners why. */
  #explain(error: unknown): never {
    const isOfRetries = error instanceof Error && error.message.includes('max retries per request');
    if (!isOfRetries) throw error;
    const reason = this.#lastError?.message ?? 'the server has ended it';
    throw new Error(`The connection was lost to ${addressOf(this.#client.options)}: ${reason}`, {
      cause: error,
    });
  }

  async #sendTogether(commands: ReadonlyArray<readonly Word[]>): Promise<readonly Reply[]> {
    const pipeline = this.#client.pipeline() as Pipeline;
    for (const words of commands) void call(pipeline, words);
    const replies = (await pipeline.exec()) ?? [];
    for (const [error] of replies) if (error) throw error;
    return replies.map(([, reply]) => reply);
  }

  async masters(): Promise<readonly RedisServer[]> {
    // Until it has been told by one which are masters, a Cluster takes all nodes that it was given for some, and then drops the others.
    if (this.isCluster) await call(this.#client, ['PING']);
    const nodes: unknown = this.isCluster
      ? (Reflect.get(this.#client, 'nodes') as (role: string) => unknown).call(this.#client, 'master')
      : [this.#client];
    return (nodes as IoRedisClient[]).map((node) => ({
      name: addressOf(node.options),
      send: async (words) => this.#explained(call(node, words)),
    }));
  }

  async openListener(events: ListenerEvents): Promise<RedisListener> {
    // One that connects with its first command would never have one, since it subscribes when it is connected.
    const overrides: readonly object[] = this.isCluster
      ? [[], { lazyConnect: false }]
      : [{ lazyConnect: false }];
    const listener = this.#client.duplicate(...(overrides as never[])) as Listener;
    listener.on('message', (_: unknown, message: unknown) => events.onMessage(String(message)));
    listener.on('ready', () => events.onReady());
    listener.on('error', (error: unknown) => events.onError(error));
    return {
      subscribe: (channel) => listener.subscribe(channel),
      close: async () => listener.disconnect(),
    };
  }

  async publish(channel: string, message: string): Promise<unknown> {
    return call(this.#client, ['PUBLISH', channel, message]);
  }

  async close(): Promise<void> {
    if (this.#isOwn) (this.#client as unknown as Listener).disconnect();
  }
}

function call(target: object, [name = '', ...words]: readonly Word[]): Promise<Reply> {
  const method = Reflect.get(target, `${name.toString().toLowerCase()}Buffer`) as SendsCommand | undefined;
  if (method) return method.call(target, ...words);
  // A command that this version does not know, such as WAITAOF in 5. Those are only sent in lists, where no name gets lost.
  return (Reflect.get(target, 'callBuffer') as SendsCommand).call(target, name, ...words);
}

function addressOf(options: object): string {
  const { host, port } = options as { readonly host?: string; readonly port?: number };
  return `${host ?? '127.0.0.1'}:${port ?? 6379}`;
}
