import { performance } from '../../../core/timers.js';
import type {
  ListenerEvents,
  RedisConnection,
  RedisListener,
  RedisServer,
  Reply,
  Word,
} from './redis-connection.js';
import { textOf, unexpected } from './redis-connection.js';

/** Milliseconds for which a server is taken for what it said that it is. */
const ROLE_AGE = 1_000;

/**
 * A connection to one server that gives nothing that a replica says. A primary that is demoted keeps its connections, and
 * knows nothing of sessions that end at the new one until its link to that is up.
 *
 * The server is asked in the same round trip as a call that is sent anyway, a second after the last time, and with each
 * call once it has said that it is a replica. So it may be taken for a primary for a second.
 */
export class PrimaryConnection implements RedisConnection {
  readonly isCluster = false;
  readonly #inner: RedisConnection;
  /** Resolves if the server is a primary; `null`: it has to be asked. */
  #isPrimary: Promise<void> | null = null;
  /** When it was asked, in milliseconds of `performance.now()`. */
  #askedAt = 0;
  /** Whether the user of the connection may ask. */
  #mayAsk = true;

  constructor(inner: RedisConnection) {
    this.#inner = inner;
  }

  send(key: string, words: readonly Word[]): Promise<Reply> {
    return this.#ofPrimary(key, () => this.#inner.send(key, words));
  }

  sendTogether(key: string, commands: ReadonlyArray<readonly Word[]>): Promise<readonly Reply[]> {
    return this.#ofPrimary(key, () => this.#inner.sendTogether(key, commands));
  }

  masters(): Promise<readonly RedisServer[]> {
    return this.#inner.masters();
  }

  openListener(events: ListenerEvents): Promise<RedisListener> {
    return this.#inner.openListener(events);
  }

  publish(channel: string, message: string): Promise<unknown> {
    return this.#inner.publish(channel, message);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #ofPrimary<R>(key: string, call: () => Promise<R>): Promise<R> {
    const isPrimary = this.#ask(key); // leaves before the call, so its reply is there first
    const reply = await call();
    await isPrimary;
    return reply;
  }

  #ask(key: string): Promise<void> | null {
    const now = performance.now();
    if (this.#isPrimary !== null && now - this.#askedAt < ROLE_AGE) return this.#isPrimary;
    if (!this.#mayAsk) return null;
    const asked = this.#requirePrimary(key);
    this.#isPrimary = asked;
    this.#askedAt = now;
    asked.catch(() => {
      if (this.#isPrimary === asked) this.#isPrimary = null;
    });
    return asked;
  }

  /** @throws Error for a replica */
  async #requirePrimary(key: string): Promise<void> {
    const role = await this.#role(key);
    if (role === null || role === 'master') return;
    // Clients are told to look for the primary by a write that is refused. This one changes nothing where it is not.
    this.#inner.send(key, ['HDEL', key, 'none']).catch(() => undefined);
    throw new Error(
      'The server is a replica by now, and may not know which sessions have ended. Connect the client to the primary',
    );
  }

  /** `null`: the user of the connection may not ask. */
  async #role(key: string): Promise<string | null> {
    let reply: Reply;
    try {
      reply = await this.#inner.send(key, ['INFO', 'replication']);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOPERM'))) throw error;
      this.#mayAsk = false;
      return null;
    }
    const role = /^role:(\w+)/m.exec(textOf(reply))?.[1];
    if (role === undefined) throw unexpected('what the server is', reply);
    return role;
  }
}
