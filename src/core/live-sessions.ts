import type { BackendClient } from './backend-client.js';
import type { Clock } from './clock.js';
import type { EndedSessions, SessionBus } from './session-bus.js';
import type { RevokeReason, SessionEvents } from './session-events.js';
import { isActive } from './session-expiry.js';
import type { SessionLogger } from './session-logger.js';
import type { EpochMs, LiveRow } from './session-row.js';
import { withTimeout } from './timeout.js';
import { clearTimeout, performance, setImmediate, setProcessTimeout, setTimeout, sleep } from './timers.js';

/*
 * What is open by session (streams, sockets), and when it ends with its session.
 */

/**
 * Why what was open for a session has ended. Storage does not keep it, so what another process has ended is `'revoked'`
 * whatever the reason was there, and `'replaced'` if nobody was signed in: what ends a visitor's session is a sign-in.
 */
export type EndReason = RevokeReason | 'evicted' | 'expired';

/** Something that is open for a session, and is to end with it. */
export interface LiveConnection {
  /** The session has ended. Called once at most, and never after the registration was taken back. What it throws is logged. */
  end(reason: EndReason): void;
}

/** That something is open for a session. */
export interface LiveRegistration {
  /** The connection has ended by itself, and is not told of its session any more. Calling it again does nothing. */
  takeBack(): void;
}

/** Ids that one look-up asks for at most. */
const BATCH_SIZE = 500;

/** Ended sessions that are remembered at most, for what is opened just after its session has ended. */
const MAX_ENDED = 10_000;

/** How many times as long as a look-up took the next one waits, if it is wanted at once: hints may come from anybody. */
const REST = 4;

/** Ids that are published together at most. More are `'all'`. */
const MAX_PUBLISHED = 200;

/**
 * One session that something is open for, as storage told of it last. Thousands are kept at a time, mostly with one connection
 * each: so one has no collection of its own.
 */
class OpenSession implements LiveRow {
  readonly id: string;
  readonly userId: string | null;
  expiresAt: EpochMs;
  absoluteExpiresAt: EpochMs;
  /** What is open, in the order in which it was opened. */
  #open: OpenConnection | Set<OpenConnection> | null = null;

  constructor({ id, userId, expiresAt, absoluteExpiresAt }: LiveRow) {
    this.id = id;
    this.userId = userId;
    this.expiresAt = expiresAt;
    this.absoluteExpiresAt = absoluteExpiresAt;
  }

  add(connection: OpenConnection): void {
    if (this.#open === null) this.#open = connection;
    else if (this.#open instanceof Set) this.#open.add(connection);
    else this.#open = new Set([this.#open, connection]);
  }

  /** Whether it was there. */
  delete(connection: OpenConnection): boolean {
    if (this.#open instanceof Set) return this.#open.delete(connection);
    if (this.#open !== connection) return false;
    this.#open = null;
    return true;
  }

  get isEmpty(): boolean {
    return this.#open === null || (this.#open instanceof Set && this.#open.size === 0);
  }

  /** What is open, also where some of it is deleted meanwhile: that is left out. */
  get connections(): Iterable<OpenConnection> {
    if (this.#open === null) return [];
    return this.#open instanceof Set ? this.#open : [this.#open];
  }
}

/** One call of `add`: the same connection may be registered twice. */
class OpenConnection implements LiveRegistration {
  readonly connection: LiveConnection;
  readonly #session: OpenSession;
  /** The session has nothing open any more. */
  readonly #forget: (session: OpenSession) => void;

  constructor(connection: LiveConnection, session: OpenSession, forget: (session: OpenSession) => void) {
    this.connection = connection;
    this.#session = session;
    this.#forget = forget;
  }

  takeBack(): void {
    if (this.#session.delete(this) && this.#session.isEmpty) this.#forget(this.#session);
  }
}

/** Milliseconds that an end waits at most for a response to leave. */
const LONGEST_HOLD = 5_000;

/** The end of a session, while a response that replaces it is on its way. */
class HeldEnd {
  /** Responses that are on their way. */
  count = 0;
  /** Why the session has ended; `null`: it has not. */
  reason: EndReason | null = null;
  /** Whether other processes are to be told. */
  isPublished = false;
}

/**
 * What is open by session in this process. It ends at once when this process ends the session; and within `recheck` when
 * another one does, or when the session expires, by one look-up of all open ids. An outage of storage ends nothing but what is
 * past its absolute expiry, which nothing moves. While nothing is open there is no timer, and no look-up.
 *
 * `add` takes what a session is known by, `{ id, userId, expiresAt, absoluteExpiresAt }`, which every `SessionRow` has.
 */
export class LiveSessions {
  readonly #backend: BackendClient;
  readonly #clock: Clock;
  /** Milliseconds between two look-ups of all that is open. */
  readonly #recheck: number;
  readonly #logger: SessionLogger;
  readonly #open = new Map<string, OpenSession>();
  /** Why sessions have ended in this process, the latest last. */
  readonly #ended = new Map<string, EndReason>();
  #timer: NodeJS.Timeout | undefined;
  /** What the next look-up is to ask for. */
  #wanted: Set<string> | 'all' = new Set();
  /** The look-ups under way, one after the other; `null`: there are none. */
  #checking: Promise<void> | null = null;
  /** Sessions whose end waits for a response to leave. */
  readonly #held = new Map<string, HeldEnd>();
  readonly #stopping = new AbortController();
  readonly #bus: Publisher | null;
  /** Stops to listen to the bus; `null`: nobody listens yet. */
  #unsubscribe: (() => unknown) | null = null;

  constructor(
    backend: BackendClient,
    clock: Clock,
    events: SessionEvents,
    recheck: number,
    logger: SessionLogger,
    bus: SessionBus | null = null,
    timeout = recheck,
  ) {
    this.#backend = backend;
    this.#clock = clock;
    this.#recheck = recheck;
    this.#logger = logger;
    this.#bus = bus && new Publisher(bus, timeout, logger);
    events.on('revoked', ({ sessionId, reason }) => {
      this.#hasEnded(sessionId, reason);
      this.#publish(sessionId);
    });
    events.on('evicted', ({ sessionId }) => {
      this.#hasEnded(sessionId, 'evicted');
      this.#publish(sessionId);
    });
    events.on('expired', ({ sessionId }) => this.#hasEnded(sessionId, 'expired'));
  }

  /** Listens to the bus, if there is one. Whatever is added first does that too. */
  start(): void {
    if (this.#bus === null || this.#unsubscribe !== null || this.#stopping.signal.aborted) return;
    this.#unsubscribe = this.#bus.subscribe((ended) => this.recheck(Array.isArray(ended) ? ended : 'all'));
  }

  /** How many sessions something is open for. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * From now on `connection` ends with the session. One that has ended already ends it too: within one look-up if it was this
   * process that ended the session, otherwise within `recheck`.
   *
   * @param row the session as it was loaded
   * @returns what takes the registration back, because the connection has ended by itself
   */
  add(row: LiveRow, connection: LiveConnection): LiveRegistration {
    this.start();
    const session = this.#open.get(row.id) ?? new OpenSession(row);
    const registration = new OpenConnection(connection, session, this.#forget);
    session.add(registration);
    this.#open.set(row.id, session);
    if (this.#ended.has(row.id)) this.recheck([row.id]);
    this.#timer ??= this.#startTimer();
    return registration;
  }

  /**
   * A request is about to replace the session. What is open for it is to end when the response has left: its client comes
   * back by itself, and would do so with the old cookie. Other processes are told then, too.
   *
   * @param longest milliseconds after which the session has ended in any case
   * @returns to be called when the response has left
   */
  hold(id: string, longest = LONGEST_HOLD): () => void {
    if (this.#bus === null && !this.#open.has(id)) return () => undefined;
    const held = this.#held.get(id) ?? new HeldEnd();
    this.#held.set(id, held);
    held.count++;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      clearTimeout(timer);
      if (--held.count === 0) this.#release(id, held);
    };
    const timer = setTimeout(release, longest).unref();
    return release;
  }

  #release(id: string, { reason, isPublished }: HeldEnd): void {
    this.#held.delete(id);
    const session = this.#open.get(id);
    if (session && reason !== null) this.#end(session, reason);
    if (isPublished) this.#publish(id);
  }

  #publish(id: string): void {
    const held = this.#held.get(id);
    if (held === undefined) this.#bus?.add(id);
    else held.isPublished = true;
  }

  /**
   * Looks now for sessions that have ended, among those ids for which something is open, or among all. What comes while a
   * look-up is under way waits for its end, and is looked up together.
   */
  recheck(ids: readonly string[] | 'all'): void {
    if (this.#stopping.signal.aborted || this.#open.size === 0) return;
    if (ids === 'all') this.#wanted = 'all';
    else if (this.#wanted !== 'all') for (const id of ids) if (this.#open.has(id)) this.#wanted.add(id);
    this.#checking ??= this.#check().finally(() => (this.#checking = null));
  }

  /** Looks for nothing any more, and resolves when no look-up is under way. What is open stays open. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#checking;
    await this.#bus?.drain();
    await this.#bus?.stop(this.#unsubscribe);
  }

  /** Resolves when what this process has ended is published, or that has failed. */
  async drain(): Promise<void> {
    await this.#bus?.drain();
  }

  #startTimer(): NodeJS.Timeout | undefined {
    if (this.#stopping.signal.aborted) return undefined;
    return setProcessTimeout(() => {
      this.#timer = undefined;
      this.recheck('all');
    }, this.#recheck);
  }

  async #check(): Promise<void> {
    const { signal } = this.#stopping;
    while (this.#isWanted && !signal.aborted) {
      const begun = performance.now();
      const wanted = this.#wanted;
      this.#wanted = new Set();
      await this.#lookUp(wanted === 'all' ? [...this.#open.values()] : this.#sessionsOf(wanted));
      if (this.#open.size > 0) this.#timer ??= this.#startTimer();
      const rest = Math.min(REST * (performance.now() - begun), this.#recheck);
      if (this.#isWanted) await sleep(rest, signal).catch(() => undefined);
    }
  }

  get #isWanted(): boolean {
    return this.#wanted === 'all' || this.#wanted.size > 0;
  }

  #sessionsOf(ids: ReadonlySet<string>): OpenSession[] {
    return [...ids].flatMap((id) => this.#open.get(id) ?? []);
  }

  /** Ends what has no session any more. Never rejects: what cannot be looked up is looked up next time. */
  async #lookUp(sessions: readonly OpenSession[]): Promise<void> {
    const now = this.#clock.now();
    for (const session of sessions) if (now >= session.absoluteExpiresAt) this.#end(session, 'expired');
    for (let from = 0; from < sessions.length; from += BATCH_SIZE) {
      const batch = sessions.slice(from, from + BATCH_SIZE).filter((session) => this.#isOpen(session));
      if (batch.length === 0) continue;
      try {
        const rows = await this.#backend.alive(
          batch.map(({ id }) => id),
          this.#clock.now(),
        );
        batch.forEach((session, index) => this.#judge(session, rows[index] ?? null));
      } catch {
        return; // the client of the backend has logged it
      }
    }
  }

  #judge(session: OpenSession, row: LiveRow | null): void {
    if (row === null) this.#end(session, this.#reasonOf(session));
    // The same id for another owner, by `SessionStore.put`, is another session.
    else if (row.userId !== session.userId) this.#end(session, 'replaced');
    else {
      session.expiresAt = row.expiresAt;
      session.absoluteExpiresAt = row.absoluteExpiresAt;
    }
  }

  #reasonOf(session: OpenSession): EndReason {
    const known = this.#ended.get(session.id);
    if (known !== undefined) return known;
    if (!isActive(session, this.#clock.now())) return 'expired';
    return session.userId === null ? 'replaced' : 'revoked';
  }

  #hasEnded(id: string, reason: EndReason): void {
    const [oldest] = this.#ended.size < MAX_ENDED ? [] : this.#ended.keys();
    if (oldest !== undefined) this.#ended.delete(oldest);
    this.#ended.set(id, reason);
    const session = this.#open.get(id);
    if (session) this.#end(session, reason);
  }

  #isOpen(session: OpenSession): boolean {
    return this.#open.get(session.id) === session;
  }

  #end(session: OpenSession, reason: EndReason): void {
    if (!this.#isOpen(session)) return;
    const held = this.#held.get(session.id);
    if (held !== undefined) {
      held.reason ??= reason;
      return;
    }
    this.#forget(session);
    for (const registration of session.connections) {
      session.delete(registration);
      try {
        registration.connection.end(reason);
      } catch (error) {
        const what = error instanceof Error ? (error.stack ?? String(error)) : String(error);
        this.#logger.error(`What was open for a session that has ended could not be ended: ${what}`);
      }
    }
  }

  /** Nothing is open for the session any more. One function for all that is open. */
  readonly #forget = (session: OpenSession): void => {
    if (!this.#isOpen(session)) return;
    this.#open.delete(session.id);
    if (this.#open.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  };
}

/** Publishes what ends in this process, and listens to what others publish. Nothing that a bus does wrong reaches the caller. */
class Publisher {
  readonly #bus: SessionBus;
  /** Milliseconds that one call of the bus may take before nobody waits for it any more. */
  readonly #timeout: number;
  readonly #logger: SessionLogger;
  #ended = new Set<string>();
  /** What is published; `null`: nothing. */
  #publishing: Promise<void> | null = null;
  #isFailing = false;

  constructor(bus: SessionBus, timeout: number, logger: SessionLogger) {
    this.#bus = bus;
    this.#timeout = timeout;
    this.#logger = logger;
  }

  /** Publishes it, with all that end in this turn of the event loop or while something is being published. */
  add(id: string): void {
    this.#ended.add(id);
    this.#publishing ??= this.#publish().finally(() => (this.#publishing = null));
  }

  async drain(): Promise<void> {
    await this.#publishing;
  }

  subscribe(listener: (ended: EndedSessions) => void): () => unknown {
    try {
      return this.#bus.subscribe(listener);
    } catch (error) {
      this.#report('subscribe to', error);
      return () => undefined;
    }
  }

  async stop(unsubscribe: (() => unknown) | null): Promise<void> {
    if (unsubscribe === null) return;
    await this.#attempt(unsubscribe).catch((error: unknown) => this.#report('leave', error));
  }

  async #publish(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#ended.size > 0) {
      const ended = this.#ended.size > MAX_PUBLISHED ? 'all' : [...this.#ended];
      this.#ended = new Set();
      try {
        await this.#attempt(() => this.#bus.publish(ended));
        this.#isFailing = false;
      } catch (error) {
        if (!this.#isFailing) this.#report('publish to', error);
        this.#isFailing = true;
      }
    }
  }

  #attempt(call: () => unknown): Promise<unknown> {
    return withTimeout<unknown>(
      async () => call(),
      this.#timeout,
      () => {
        throw new Error(`no answer within ${this.#timeout} ms (the \`timeout\` option)`);
      },
    );
  }

  #report(what: string, error: unknown): void {
    this.#logger.warn(
      `Could not ${what} \`live.bus\`: ${String(error)}. Other processes find sessions that have ended each \`live.recheck\``,
    );
  }
}
