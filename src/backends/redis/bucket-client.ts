import type { RedisConnection, Reply, Word } from './connection/redis-connection.js';
import { bytesOf, listOf, textOf } from './connection/redis-connection.js';
import type { RedisScript } from './scripts/redis-script.js';

/** How safe a write is when it has been acknowledged. */
export type RedisDurability = 'primary' | 'replica' | 'fsync';

/** The fields of a key of a session, as they are. */
export interface FoundKey {
  /** What changes with use; `null`: there is no row. */
  readonly use: Buffer | null;
  /** The rest; `null`: there is no row, or it was not asked for. */
  readonly rest: Buffer | null;
  /** `true`: a sign-in in another bucket is about to end the row, which is dead until it has. */
  readonly isClaimed: boolean;
  /** The pointer to the bucket that has the row; `null`: the row is here, if there is one. */
  readonly pointer: string | null;
}

/** How often a key is looked for on another server of a Cluster. */
const MOST_MOVES = 3;

/** Sends commands and scripts to the bucket that they are about. */
export class BucketClient {
  readonly #connection: RedisConnection;
  readonly #prefix: string;
  readonly #durability: RedisDurability;
  /** Milliseconds to wait for what the durability asks for. */
  readonly #timeout: number;

  constructor(connection: RedisConnection, prefix: string, durability: RedisDurability, timeout: number) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.#durability = durability;
    this.#timeout = timeout;
  }

  /** Runs a script. It is acknowledged when the server has done it. */
  async run(script: RedisScript, bucket: string, words: readonly Word[]): Promise<Reply> {
    const key = this.#key(bucket, 'i');
    const call = (name: string, text: string) => this.#connection.send(key, [name, text, '1', key, ...words]);
    return loading(script, call);
  }

  /** Runs a script that reads, and heals an index in passing. */
  read(script: RedisScript, bucket: string, words: readonly Word[]): Promise<Reply> {
    return again(() => this.run(script, bucket, words));
  }

  /**
   * Runs a script that writes. It is acknowledged when the write is as safe as the durability says. Where the connection was
   * lost before the reply came, a script that recognises what it has done is sent again, once.
   */
  async write(script: RedisScript, bucket: string, words: readonly Word[]): Promise<Reply> {
    const write = () => this.#write(script, bucket, words);
    return script.isRepeatable ? again(write) : write();
  }

  async #write(script: RedisScript, bucket: string, words: readonly Word[]): Promise<Reply> {
    if (this.#durability === 'primary') return this.run(script, bucket, words);
    const key = this.#key(bucket, 'i');
    const wait = this.#durability === 'fsync' ? ['WAITAOF', '1', '0'] : ['WAIT', '1'];
    const replies = await this.#found(key, () =>
      loading(script, (name, text) =>
        this.#connection.sendTogether(key, [
          ['CLIENT', 'ID'],
          [name, text, '1', key, ...words],
          [...wait, String(this.#timeout)],
          ['CLIENT', 'ID'],
        ]),
      ),
    );
    const [before, reply, waited, after] = replies;
    // On another connection than that of the write, the server would have waited for nothing.
    if (textOf(before) !== textOf(after))
      throw new Error('The connection was lost before the write was confirmed');
    const confirmed = Number(textOf(this.#durability === 'fsync' ? listOf(waited)[0] : waited));
    if (!(confirmed >= 1)) throw unconfirmed(this.#durability, this.#timeout);
    return reply;
  }

  /** What the key of an id holds in a bucket. One plain command. */
  async look(bucket: string, id: string, isWhole: boolean): Promise<FoundKey> {
    const key = this.#key(bucket, `s:${id}`);
    const reply = await this.#read(key, ['HMGET', key, 'u', 'c', 'p', ...(isWhole ? ['r'] : [])]);
    const [use, claim, pointer, rest] = listOf(reply);
    return {
      use: bytesOf(use),
      rest: bytesOf(rest),
      isClaimed: bytesOf(claim) !== null,
      pointer: bytesOf(pointer)?.toString() ?? null,
    };
  }

  /** Up to `count` ids of a bucket, in order of their bytes, that come behind one; `null`: from the first. */
  async idsBehind(bucket: string, after: string | null, count: number): Promise<readonly string[]> {
    const key = this.#key(bucket, 'i');
    const from = after === null ? '-' : `(${after}`;
    const words = ['ZRANGEBYLEX', key, from, '+', 'LIMIT', '0', String(count)];
    return listOf(await this.#read(key, words)).map(textOf);
  }

  /** The ids of the keys that sealed rows of a bucket which may be active at `now`. */
  async keysInUse(bucket: string, now: number): Promise<readonly string[]> {
    const key = this.#key(bucket, 'k');
    const words = ['ZRANGEBYSCORE', key, `(${now}`, '+inf'];
    return listOf(await this.#read(key, words)).map(textOf);
  }

  /** A plain command that changes nothing. There is one for each request, so it makes no promise more than it has to. */
  async #read(key: string, words: readonly Word[]): Promise<Reply> {
    try {
      return await this.#connection.send(key, words);
    } catch (error) {
      if (!isLostConnection(error)) throw clearer(error);
      return translated(this.#connection.send(key, words));
    }
  }

  /**
   * Calls again when a server of a Cluster says that another one has the key by now, and did nothing: clients follow that by
   * themselves for a single command, and learn it from one, but not for several that belong together.
   */
  async #found<R>(key: string, call: () => Promise<R>): Promise<R> {
    for (let moves = 0; ; moves++) {
      try {
        return await call();
      } catch (error) {
        if (moves === MOST_MOVES || !messageOf(error).startsWith('MOVED')) throw error;
        await this.#connection.send(key, ['EXISTS', key]);
      }
    }
  }

  #key(bucket: string, name: string): string {
    return `${this.#prefix}{${bucket}}:${name}`;
  }
}

/** Calls a script by its hash, and with its text where the server does not know it, or no more. */
async function loading<R>(script: RedisScript, call: (name: string, text: string) => Promise<R>): Promise<R> {
  try {
    return await call('EVALSHA', script.sha);
  } catch (error) {
    if (!messageOf(error).includes('NOSCRIPT')) throw clearer(error);
  }
  return translated(call('EVAL', script.source));
}

async function translated<R>(reply: Promise<R>): Promise<R> {
  try {
    return await reply;
  } catch (error) {
    throw clearer(error);
  }
}

/** Calls once more when the connection was lost before the reply came. */
async function again<R>(call: () => Promise<R>): Promise<R> {
  try {
    return await call();
  } catch (error) {
    if (!isLostConnection(error)) throw error;
    return call();
  }
}

/** Of ioredis and of node-redis, and of sockets: nobody knows whether the server has done what it was sent. */
function isLostConnection(error: unknown): boolean {
  return /Connection is closed|connection was lost|max retries per request|Socket closed|ECONNRESET|EPIPE/.test(
    messageOf(error),
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The same error, unless a key of ours holds what is not ours: then one that says so. */
function clearer(error: unknown): unknown {
  if (!/WRONGTYPE|NOTOURS/.test(messageOf(error))) return error;
  return new Error(
    'A key of the sessions holds a value that this backend has not written. Nothing was changed: give the sessions a `prefix` ' +
      'that no other program uses, or delete that key',
    { cause: error },
  );
}

function unconfirmed(durability: RedisDurability, timeout: number): Error {
  return new Error(
    durability === 'replica'
      ? `No replica confirmed the write within ${timeout} ms (\`durability\` is 'replica'). It may be lost in a failover`
      : `The server did not confirm within ${timeout} ms that the write is on its disk (\`durability\` is 'fsync')`,
  );
}
