import { randomUUID } from 'node:crypto';
import type { EndedSessions, SessionBus } from '../../core/session-bus.js';
import { clearTimeout, setTimeout } from '../../core/timers.js';
import type { RedisConnection, RedisListener } from './connection/redis-connection.js';

/** Milliseconds before a connection that could not be opened is tried again: at first, and at most. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [100, 10_000];

/** What a process publishes to see whether it hears: it says which test it is. */
const TEST = /^\{"test":"([\w-]+)"\}$/;

/**
 * Ended sessions by `PUBLISH` and `SUBSCRIBE`, over a second connection that is made as the first. Each time it has
 * connected it publishes a word of its own, and when it hears that it says that something may have been missed before.
 *
 * On a Cluster the client moves the subscription by itself when the server that it is on ends, and does not tell: what is
 * published in between is found by looking.
 */
export class RedisBus implements SessionBus {
  readonly #open: () => Promise<RedisConnection>;
  readonly #channel: string;

  /**
   * @param open the connection of the backend
   * @param prefix that of its keys: apps that have others hear nothing of each other
   */
  constructor(open: () => Promise<RedisConnection>, prefix: string) {
    this.#open = open;
    this.#channel = channelOf(prefix);
  }

  async publish(ended: EndedSessions): Promise<void> {
    const connection = await this.#open();
    await connection.publish(this.#channel, JSON.stringify(ended));
  }

  subscribe(listener: (ended: EndedSessions) => void): () => Promise<void> {
    const listening = new Listening(this.#open, this.#channel, listener);
    return () => listening.stop();
  }
}

/** Where it is published what has ended, by the prefix of keys. */
export function channelOf(prefix: string): string {
  return `${prefix}ended`;
}

/** Listens until it is stopped. */
class Listening {
  readonly #open: () => Promise<RedisConnection>;
  readonly #channel: string;
  readonly #listener: (ended: EndedSessions) => void;
  readonly #done: Promise<void>;
  #redis: RedisListener | null = null;
  #isStopped = false;
  #interrupt: () => void = () => undefined;
  /** Whether the connection was ready before it was known here. */
  #isSubscribing = false;
  /** The test that has been published last. */
  #test = '';

  constructor(
    open: () => Promise<RedisConnection>,
    channel: string,
    listener: (ended: EndedSessions) => void,
  ) {
    this.#open = open;
    this.#channel = channel;
    this.#listener = listener;
    this.#done = this.#start();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#interrupt();
    await this.#done;
    await this.#redis?.close();
  }

  /** Tries until there is a connection, which from then on reconnects by itself. */
  async #start(): Promise<void> {
    for (let pause = FIRST_PAUSE; !this.#isStopped; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        const connection = await this.#open();
        this.#redis = await connection.openListener({
          onMessage: (message) => this.#hear(message),
          onReady: () => this.#subscribe(connection),
          onError: () => undefined, // it goes on trying by itself
        });
        if (this.#isSubscribing) this.#subscribe(connection);
        return;
      } catch {
        await this.#pause(pause);
      }
    }
  }

  #subscribe(connection: RedisConnection): void {
    const redis = this.#redis;
    this.#isSubscribing = redis === null;
    if (redis === null) return;
    this.#test = randomUUID();
    const test = JSON.stringify({ test: this.#test });
    // When it fails, the connection is lost again, and the next one is ready later.
    redis
      .subscribe(this.#channel)
      .then(() => connection.publish(this.#channel, test))
      .catch(() => undefined);
  }

  #hear(message: string): void {
    if (this.#isStopped) return; // what came before the connection had ended
    const test = TEST.exec(message)?.[1];
    if (test === undefined) this.#listener(endedOf(message));
    else if (test === this.#test) this.#listener('all');
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds).unref();
      this.#interrupt = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** What a message says. What cannot be read may mean any session. */
function endedOf(message: string): EndedSessions {
  try {
    const said: unknown = JSON.parse(message);
    return Array.isArray(said) && said.every((id) => typeof id === 'string') ? said : 'all';
  } catch {
    return 'all';
  }
}
