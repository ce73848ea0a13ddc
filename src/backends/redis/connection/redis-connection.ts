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

/*
 * Replies are of the kind that their command has, or an error. Taken for "nothing there", one of another kind would sign
 * somebody out, or say of a sign-out that there was nothing to end.
 */

/**
 * The text of a reply, whichever way a client gives it.
 *
 * @throws Error for a reply that is none
 */
export function textOf(reply: Reply): string {
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (typeof reply === 'string') return reply;
  if (typeof reply === 'number' || typeof reply === 'bigint') return String(reply);
  throw unexpected('a text', reply);
}

/**
 * The bytes of a reply; `null`: the server has none.
 *
 * @throws Error for a reply that is neither
 */
export function bytesOf(reply: Reply): Buffer | null {
  if (reply === null || Buffer.isBuffer(reply)) return reply;
  throw unexpected('bytes', reply);
}

/**
 * The bytes of a reply that are a text, which is how lists of commands to a Cluster come from version 6 of node-redis.
 *
 * @throws Error for a reply that is none
 */
export function textBytesOf(reply: Reply): Buffer {
  return Buffer.isBuffer(reply) ? reply : Buffer.from(textOf(reply));
}

/**
 * The number of a reply, also where a client gives numbers as text.
 *
 * @throws Error for a reply that is none
 */
export function numberOf(reply: Reply): number {
  const text = Buffer.isBuffer(reply) ? reply.toString() : reply;
  const isNumber =
    typeof text === 'number' ||
    typeof text === 'bigint' ||
    (typeof text === 'string' && /^-?\d+$/.test(text));
  if (!isNumber) throw unexpected('a number', reply);
  return Number(text);
}

/**
 * The elements of a reply that is a list.
 *
 * @param length how many there have to be; any number if it is not given
 * @throws Error for a reply that is none, or has another length
 */
export function listOf(reply: Reply, length?: number): readonly Reply[] {
  if (Array.isArray(reply) && (length === undefined || reply.length === length)) return reply;
  throw unexpected(length === undefined ? 'a list' : `a list of ${length}`, reply);
}

/** The error for a reply that its command never has. It tells the kind alone: what is in it may be somebody's. */
export function unexpected(what: string, reply: Reply): Error {
  return new Error(
    `Redis replied with ${kindOf(reply)} where ${what} was expected. The app has a \`MULTI\` open on the client of the ` +
      'sessions, or has changed what replies look like: give the sessions a client of their own',
  );
}

function kindOf(reply: Reply): string {
  if (Array.isArray(reply)) return `a list of ${reply.length}`;
  if (Buffer.isBuffer(reply)) return reply.equals(QUEUED) ? '"QUEUED"' : 'bytes';
  if (typeof reply === 'string') return reply === QUEUED.toString() ? '"QUEUED"' : 'a text';
  return reply === null || reply === undefined ? 'nothing' : `a value of type ${typeof reply}`;
}

/** What a server says of a command that it keeps for `EXEC`. */
const QUEUED = Buffer.from('QUEUED');
