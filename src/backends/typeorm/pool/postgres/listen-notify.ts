import { createHash, randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { DataSource } from 'typeorm';
import type { EndedSessions, SessionBus } from '../../../../core/session-bus.js';
import { withTimeout } from '../../../../core/timeout.js';
import { clearTimeout, setTimeout } from '../../../../core/timers.js';
import { driverErrorOf, property } from '../../driver-error.js';
import { READ_ONLY, stateIn, stateStatement } from '../../sql/server-state.js';
import type { SqlRow } from '../../sql-connection.js';
import type { BusAccess } from '../pool-dialect.js';
import { trustOf } from '../pool-trust.js';
import { IS_READ_ONLY } from './is-read-only.js';

/** Bytes of a payload that PostgreSQL takes at most are 7,999. @see https://www.postgresql.org/docs/current/sql-notify.html */
const MAX_PAYLOAD = 7_900;

/** Milliseconds that a notification of our own may take before `LISTEN` is known to hear nothing: it takes two, usually. */
const TEST_PATIENCE = 3_000;

/** Milliseconds before a connection that failed is tried again: at first, and at most. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [100, 10_000];

const POLLING = 'Sessions that other processes end are found each `live.recheck`';

/** Milliseconds that a server has to end a connection, before that is ended here. */
const LONGEST_END = 1_000;

/** Milliseconds without a word after which TCP asks whether the server is still there. */
const KEEP_ALIVE = 30_000;

/**
 * Ended sessions by `LISTEN` and `NOTIFY`. It listens on a connection of its own, made as those of the pool are, and notifies on
 * one of the pool, never within a transaction: that would make commits wait for each other. What it hears is only believed
 * to be a hint, since whoever may connect to the database can send it.
 */
export class ListenNotify implements SessionBus {
  readonly #access: BusAccess;
  /** Of this table in this database: apps that have others hear nothing of each other. */
  readonly #channel: string;
  #isDeaf = false;

  constructor(access: BusAccess) {
    this.#access = access;
    const hash = createHash('sha256').update(access.table.join('\0')).digest('hex');
    this.#channel = `nest_sessions_${hash.slice(0, 32)}`;
  }

  async publish(ended: EndedSessions): Promise<void> {
    if (!this.#isDeaf) await this.#notify(payloadOf(ended));
  }

  subscribe(listener: (ended: EndedSessions) => void): () => Promise<void> {
    const listening = new Listening(this.#access, this.#channel, listener, (payload) =>
      this.#notify(payload),
    );
    void listening.done.then((isDeaf) => (this.#isDeaf = isDeaf));
    return () => listening.stop();
  }

  #notify(payload: string): Promise<unknown> {
    return this.#access.execute('SELECT pg_notify(?, ?)', [this.#channel, payload]);
  }
}

/** Listens on one connection after the other, until it is stopped or shown to hear nothing. */
class Listening {
  /** Resolves at the end, to whether it was because nothing is heard. */
  readonly done: Promise<boolean>;
  readonly #access: BusAccess;
  readonly #channel: string;
  readonly #listener: (ended: EndedSessions) => void;
  readonly #notify: (payload: string) => Promise<unknown>;
  #isStopped = false;
  /** Ends what is waited for. */
  #interrupt: () => void = () => undefined;
  #isFailing = false;

  constructor(
    access: BusAccess,
    channel: string,
    listener: (ended: EndedSessions) => void,
    notify: (payload: string) => Promise<unknown>,
  ) {
    this.#access = access;
    this.#channel = channel;
    this.#listener = listener;
    this.#notify = notify;
    this.done = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#interrupt();
    await this.done;
  }

  async #run(): Promise<boolean> {
    for (let pause = FIRST_PAUSE; !this.#isStopped; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      const result = await this.#listen().catch((error: unknown) => this.#noteFailure(error));
      if (result === 'deaf') return true;
      if (result === 'lost') [this.#isFailing, pause] = [false, FIRST_PAUSE];
      if (!this.#isStopped) await this.#pause(pause);
    }
    return false;
  }

  /**
   * Listens on a connection until that is lost.
   *
   * @returns `'lost'`: it had heard what was sent to it; `'early'`: nobody knows whether it did; `'deaf'`: it did not
   */
  async #listen(): Promise<'lost' | 'early' | 'deaf'> {
    const dataSource = await this.#access.open();
    const connection = new Connection(clientOf(dataSource), this.#access.timeout);
    this.#interrupt = () => void connection.end();
    // A primary that has been demoted hears nothing of what ends at the new one, and may not end its connections.
    const stopWatching = trustOf(dataSource).onDemotion(() => void connection.end());
    try {
      await connection.open();
      const heard = await this.#hears(connection);
      if (connection.isLost) return 'early';
      if (!heard) {
        this.#access.logger?.warn(
          `${this.#access.name}: LISTEN of \`live.bus\` hears nothing, as behind PgBouncer in transaction mode, and is given up. ` +
            POLLING,
        );
        // For whoever gets that connection of the pooler.
        await connection.query(`UNLISTEN "${this.#channel}"`).catch(() => undefined);
        return 'deaf';
      }
      this.#listener('all'); // what was published before this connection listened
      await connection.lost;
      return 'lost';
    } finally {
      stopWatching();
      await connection.end();
    }
  }

  /**
   * Begins to listen, and notifies itself over another connection: behind a pooler that shares connections out by transaction
   * `LISTEN` is accepted, and hears nothing. From the same connection the test would succeed there too.
   */
  async #hears(connection: Connection): Promise<boolean> {
    const test = testOf(randomUUID());
    const heard = new Promise<boolean>((resolve) => {
      connection.onNotification = (payload) => {
        if (payload === test) resolve(true);
        const ended = endedOf(payload);
        if (ended !== null) this.#listener(ended);
      };
      void connection.lost.then(() => resolve(false));
    });
    // The pool may notify elsewhere, which would be taken for deafness.
    if (stateIn(await connection.query(stateStatement(IS_READ_ONLY))) === 'read-only')
      throw new Error(READ_ONLY);
    await connection.query(`LISTEN "${this.#channel}"`);
    await this.#notify(test);
    return withTimeout(
      () => heard,
      TEST_PATIENCE,
      () => false,
    );
  }

  #noteFailure(error: unknown): 'early' {
    const { name, logger } = this.#access;
    if (!this.#isFailing && !this.#isStopped)
      logger?.warn(
        `${name}: LISTEN of \`live.bus\` failed: ${driverErrorOf(error).message}. It is tried again. ${POLLING}`,
      );
    this.#isFailing = true;
    return 'early';
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

/** The connection that listens. */
class Connection {
  /** Resolves when it has ended, by whomever. */
  readonly lost: Promise<void>;
  isLost = false;
  onNotification: (payload: string) => void = () => undefined;
  readonly #client: Client;
  readonly #timeout: number;
  #ending: Promise<void> | null = null;

  /** @param timeout milliseconds that an answer may take */
  constructor(client: Client, timeout: number) {
    this.#client = client;
    this.#timeout = timeout;
    this.lost = new Promise((resolve) => {
      const end = (): void => {
        this.isLost = true;
        resolve();
      };
      client.on('error', end);
      client.on('end', end);
    });
    client.on('notification', (message: unknown) => {
      const payload = property(message, 'payload');
      this.onNotification(typeof payload === 'string' ? payload : '');
    });
  }

  async open(): Promise<void> {
    await this.#inTime(() => this.#client.connect());
    this.#client.connection?.stream?.setKeepAlive?.(true, KEEP_ALIVE);
    this.#client.unref?.(); // it keeps no process alive that has nothing else to do
  }

  async query(sql: string): Promise<readonly SqlRow[]> {
    return (await this.#inTime(() => this.#client.query(sql))).rows ?? [];
  }

  /** A connection that has been made may answer nothing, while TCP finds nothing wrong with it. */
  #inTime<T>(call: () => Promise<T>): Promise<T> {
    return withTimeout(call, this.#timeout, () => {
      throw new Error(`no answer within ${this.#timeout} ms (the \`timeout\` option)`);
    });
  }

  /** Ends it, whatever it does. Never rejects. */
  end(): Promise<void> {
    this.#ending ??= withTimeout<unknown>(
      () => this.#client.end(),
      LONGEST_END,
      () => this.#client.connection?.stream?.destroy?.(),
    ).then(
      () => undefined,
      () => undefined,
    );
    return this.#ending;
  }
}

/** What is used of a connection of `pg`. */
interface Client extends EventEmitter {
  connect(): Promise<unknown>;
  query(sql: string): Promise<{ readonly rows?: readonly SqlRow[] }>;
  end(): Promise<unknown>;
  unref?(): void;
  readonly connection?: {
    readonly stream?: { setKeepAlive?(on: boolean, delay: number): unknown; destroy?(): unknown };
  };
}

/** A connection that is not of the pool, made as those of the pool are. */
function clientOf({ driver }: DataSource): Client {
  const pool = property(driver, 'master');
  const Class = property(pool, 'Client');
  if (typeof Class !== 'function') throw new TypeError('the pool is none of `pg`');
  return new (Class as new (options: unknown) => Client)(property(pool, 'options'));
}

function payloadOf(ended: EndedSessions): string {
  const payload = JSON.stringify(ended);
  return Buffer.byteLength(payload) <= MAX_PAYLOAD ? payload : '"all"';
}

function testOf(id: string): string {
  return JSON.stringify({ test: id });
}

/** What a notification says; `null`: it is a process that tests whether it hears. What cannot be read may mean any session. */
function endedOf(payload: string): EndedSessions | null {
  try {
    const said: unknown = JSON.parse(payload);
    if (Array.isArray(said) && said.every((id) => typeof id === 'string')) return said;
    return property(said, 'test') === undefined ? 'all' : null;
  } catch {
    return 'all';
  }
}
