/** A word of a command. */
export type Word = string | Buffer;

/** What a server said: `Buffer`s for texts, numbers, `null`, and arrays of these. Errors are rejections. */
export type Reply = unknown;

/** One server of those that hold the data. */
export interface RedisServer {
  /** Its address, for messages. */
  readonly name: string;
  send(words: readonly Word[]): Promise<Reply>;
}

/** What the backend needs of a client library. It queues, reconnects and follows redirections by itself. */
export interface RedisConnection {
  /** Whether keys are spread over several servers. */
  readonly isCluster: boolean;
  /**
   * Sends a command to the server that has the key, and none to a replica that may lag behind. Commands that are sent
   * in one tick share a round trip.
   */
  send(key: string, words: readonly Word[]): Promise<Reply>;
  /** Sends several on one connection, one right behind the other. Rejects with the first error among the replies. */
  sendTogether(key: string, commands: ReadonlyArray<readonly Word[]>): Promise<readonly Reply[]>;
  /** The servers that take writes now. */
  masters(): Promise<readonly RedisServer[]>;
  /** A connection of its own that listens to channels. It reconnects by itself. */
  openListener(events: ListenerEvents): Promise<RedisListener>;
  /** Publishes to everybody who listens to a channel. */
  publish(channel: string, message: string): Promise<unknown>;
  /** Ends the client, if it is one of our own. Idempotent. */
  close(): Promise<void>;
}

/** What a listener tells. */
export interface ListenerEvents {
  onMessage(message: string): void;
  /** The connection is there, again if it has been lost: what was published in between is not heard. */
  onReady(): void;
  onError(error: unknown): void;
}

export interface RedisListener {
  subscribe(channel: string): Promise<unknown>;
  close(): Promise<unknown>;
}

/** The text of a reply, whichever way a client gives it. */
export function textOf(reply: Reply): string {
  if (Buffer.isBuffer(reply) || typeof reply === 'number') return reply.toString();
  return typeof reply === 'string' ? reply : '';
}

/** The bytes of a reply; `null`: it is none. */
export function bytesOf(reply: Reply): Buffer | null {
  return Buffer.isBuffer(reply) ? reply : typeof reply === 'string' ? Buffer.from(reply) : null;
}

/** The elements of a reply that is a list. */
export function listOf(reply: Reply): readonly Reply[] {
  return Array.isArray(reply) ? reply : [];
}
