import { setMaxListeners } from 'node:events';
import { DamagedRowError } from '../../core/row-errors.js';
import { performance, sleep } from '../../core/timers.js';
import type { RedisConnection, Reply, Word } from './connection/redis-connection.js';
import { bytesOf, listOf, numberOf, textOf } from './connection/redis-connection.js';
import { markingScript } from './marking-script.js';
import { CLAIM_AGE, type RedisScript } from './scripts/redis-script.js';
import { ServerClock, TooLateError } from './server-clock.js';

/** How safe a write is when it has been acknowledged. */
export type RedisDurability = 'primary' | 'replica' | 'fsync';

/** The fields of a key of a session, as they are. */
export interface FoundKey {
  /** Where it is. */
  readonly bucket: string;
  /** What changes with use; `null`: there is no row. */
  readonly use: Buffer | null;
  /** The rest; `null`: there is no row, or it was not asked for. */
  readonly rest: Buffer | null;
  /** The name of the sign-in in another bucket that is about to end the row; `null`: there is none. */
  readonly claim: string | null;
  /** The pointer to the bucket that has the row; `null`: the row is here, if there is one. */
  readonly pointer: string | null;
}

/** Milliseconds for which a call is made again while its slot of a Cluster moves to another server, and between two tries. */
const [MOVE_PATIENCE, MOVE_PAUSE] = [3_000, 20];

/** How often a call is sent that is refused for its time. Each refusal says what time it is, so twice is enough but for delays. */
const TRIES = 3;

/** Milliseconds between two tries of what nobody waits for, and for which it is waited for in the end. */
const [SETTLE_PAUSE, CLOSE_PATIENCE] = [500, 1_000];

/** Sends commands and scripts to the bucket that they are about. */
export class BucketClient {
  readonly #connection: RedisConnection;
  readonly #prefix: string;
  readonly #durability: RedisDurability;
  /** Milliseconds to wait for what the durability asks for. */
  readonly #timeout: number;
  readonly #clock = new ServerClock();
  readonly #closing = new AbortController();
  /** What has still to be done, and nobody waits for. */
  readonly #unsettled = new Set<Promise<unknown>>();

  constructor(connection: RedisConnection, prefix: string, durability: RedisDurability, timeout: number) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.#durability = durability;
    this.#timeout = timeout;
    setMaxListeners(0, this.#closing.signal); // one for each that waits
  }

  /** Runs a script. It is acknowledged when the server has done it. */
  async run(script: RedisScript, bucket: string, words: readonly Word[]): Promise<Reply> {
    const keys = this.#keysOfScript(bucket);
    return this.#found(keys[0], () =>
      loading(script, (name, text) =>
        this.#connection.send(keys[0], [name, text, String(keys.length), ...keys, ...words]),
      ),
    );
  }

  /** Runs a script that reads, and heals an index in passing. */
  read(script: RedisScript, bucket: string, words: readonly Word[]): Promise<Reply> {
    return again(() => this.run(script, bucket, words));
  }

  /**
   * Runs a script that writes. It is acknowledged when the write is as safe as the durability says. Where the connection was
   * lost before the reply came, a script that recognises what it has done is sent again, once.
   *
   * @param deadline when its call will have been answered, by `performance.now()`: a script that is timely does nothing after
   *   that, however long clients and networks keep it. Not given: it is never too late
   * @throws TooLateError when it was too late, and nothing has been done
   */
  async write(
    script: RedisScript,
    bucket: string,
    words: readonly Word[],
    deadline = Number.POSITIVE_INFINITY,
  ): Promise<Reply> {
    for (let tries = 0; tries < TRIES && performance.now() < deadline; tries++) {
      const all = script.isTimely ? [...words, ...this.#clock.termsUntil(bucket, deadline)] : words;
      const write = () => this.#write(script, bucket, all);
      try {
        return await (script.isRepeatable ? again(write) : write());
      } catch (error) {
        if (!this.#clock.learnFrom(bucket, error)) throw error;
      }
    }
    throw new TooLateError();
  }

  /**
   * Does what has to be done for a row to be right, now or later: tried again each half second, for as long as a claim lasts. Resolves
   * after the first try.
   */
  async settle(work: () => Promise<unknown>): Promise<void> {
    const isDone = work().then(
      () => true,
      () => false,
    );
    const all = isDone.then(async (done) => {
      if (!done) await this.#retry(work);
    });
    this.#unsettled.add(all);
    void all.finally(() => this.#unsettled.delete(all));
    await isDone;
  }

  /** Where the backend closes meanwhile, it is tried for the last time at once. */
  async #retry(work: () => Promise<unknown>): Promise<void> {
    const { signal } = this.#closing;
    for (const end = performance.now() + CLAIM_AGE; performance.now() < end && !signal.aborted;) {
      await sleep(SETTLE_PAUSE, signal, false).catch(() => undefined);
      try {
        await work();
        return;
      } catch {
        // Tried again.
      }
    }
  }

  /** Waits a moment for what nobody else waits for. */
  async settled(): Promise<void> {
    this.#closing.abort();
    const all = Promise.allSettled(this.#unsettled);
    await Promise.race([all, sleep(CLOSE_PATIENCE, undefined, false)]);
  }

  async #write(script: RedisScript, bucket: string, words: readonly Word[]): Promise<Reply> {
    if (this.#durability === 'primary') return this.run(script, bucket, words);
    const keys = this.#keysOfScript(bucket);
    const marking = markingScript(script);
    const wait = this.#durability === 'fsync' ? ['WAITAOF', '1', '0'] : ['WAIT', '1'];
    const replies = await this.#found(keys[0], () =>
      loading(marking, (name, text) =>
        this.#connection.sendTogether(keys[0], [
          ['CLIENT', 'ID'],
          [name, text, String(keys.length), ...keys, ...words],
          [...wait, String(this.#timeout)],
          ['CLIENT', 'ID'],
        ]),
      ),
    );
    const [before, reply, waited, after] = replies;
    // On another connection than that of the write, the server would have waited for nothing.
    if (textOf(before) !== textOf(after))
      throw new Error('The connection was lost before the write was confirmed');
    const confirmed = numberOf(this.#durability === 'fsync' ? listOf(waited)[0] : waited);
    if (!(confirmed >= 1)) throw unconfirmed(this.#durability, this.#timeout);
    return reply;
  }

  /** What the key of an id holds in a bucket. One plain command. */
  async look(bucket: string, id: string, isWhole: boolean): Promise<FoundKey> {
    const key = this.#key(bucket, `s:${id}`);
    const reply = await this.#read(key, ['HMGET', key, 'u', 'c', 'p', ...(isWhole ? ['r'] : [])]);
    const [use, claim, pointer, rest = null] = listOf(reply, isWhole ? 4 : 3);
    return {
      bucket,
      use: bytesOf(use),
      rest: bytesOf(rest),
      claim: bytesOf(claim)?.toString() ?? null,
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
      if (!isLostConnection(error) && !isMoving(error)) throw clearer(error);
      return this.#found(key, () => translated(this.#connection.send(key, words)));
    }
  }

  /**
   * Calls again while servers of a Cluster say that the slot of a key is moving, or has moved, to another one: they have done
   * nothing then. Clients follow that by themselves for a single command, but not for several that belong together.
   */
  #found<R>(key: string, call: () => Promise<R>): Promise<R> {
    return this.#connection.isCluster ? this.#follow(key, call) : call();
  }

  async #follow<R>(key: string, call: () => Promise<R>): Promise<R> {
    for (const end = performance.now() + MOVE_PATIENCE; ;) {
      try {
        return await call();
      } catch (error) {
        if (!isMoving(error) || performance.now() >= end) throw error;
        await sleep(MOVE_PAUSE);
        // From a single command a client learns where the key is by now.
        await this.#connection.send(key, ['EXISTS', key]).catch(() => undefined);
      }
    }
  }

  /**
   * The keys that a script is called with: that of the index, and on a Cluster one that never exists. While the slot of a
   * bucket moves, some keys are at one server and some at the other, and a script would take those that are not where it runs
   * for missing. A server of a Cluster runs none of which it lacks one of several keys then, and says so.
   *
   * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ "Multi-key operations"
   */
  #keysOfScript(bucket: string): readonly [string, ...string[]] {
    const index = this.#key(bucket, 'i');
    return this.#connection.isCluster ? [index, this.#key(bucket, 'none')] : [index];
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

/** Errors of calls that had been sent before, without a reply: they tell of the second time alone. */
const ofSecondCalls = new WeakSet<Error>();

/** Calls once more when the connection was lost before the reply came. */
async function again<R>(call: () => Promise<R>): Promise<R> {
  try {
    return await call();
  } catch (error) {
    if (!isLostConnection(error)) throw error;
  }
  try {
    return await call();
  } catch (error) {
    if (error instanceof Error) ofSecondCalls.add(error);
    throw error;
  }
}

/** What servers say of a call that they have not begun. */
const REFUSED =
  /^(?:OOM|NOREPLICAS|READONLY|MISCONF|MASTERDOWN|LOADING|BUSY|NOPERM|NOAUTH|EXECABORT|UNTIMELY|Too many Cluster) /;

/** Whether an error says for certain that nothing has been done. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof TooLateError) return true;
  if (error instanceof Error && ofSecondCalls.has(error)) return false;
  return isMoving(error) || REFUSED.test(messageOf(error));
}

/** What ioredis, node-redis and sockets say of a connection that has been lost. */
const LOST = [
  /Connection is closed|connection was lost|max retries per request|aborted due to connection close/,
  /Socket closed|Disconnects client|client is closed/,
  /ECONNRESET|EPIPE/,
] as const;

/** Nobody knows whether the server has done what it was sent. */
function isLostConnection(error: unknown): boolean {
  return LOST.some((words) => words.test(messageOf(error)));
}

/** Of servers of a Cluster, and of clients that have followed them in vain: nothing has been done. */
function isMoving(error: unknown): boolean {
  return /^(?:Too many Cluster redirections\. Last error: \w+: )?(?:TRYAGAIN|ASK|MOVED|CLUSTERDOWN) |^Cannot find node /.test(
    messageOf(error),
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The same error, unless a key of ours holds what is not ours: then one that says so. */
function clearer(error: unknown): unknown {
  if (!/WRONGTYPE|NOTOURS/.test(messageOf(error))) return error;
  return new DamagedRowError(
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
