import { SessionStore } from '../../../src/core/session-store.js';
import { isActive } from '../../../src/core/session-expiry.js';
import type {
  InsertRequest,
  InsertResult,
  RowSelection,
  TokenChange,
} from '../../../src/core/session-backend.js';
import type { SessionRow } from '../../../src/core/session-row.js';
import { SessionPruning } from '../../../src/core/session-pruning.js';
import { SessionTouches } from '../../../src/core/session-touches.js';
import { SessionWriter } from '../../../src/core/session-writer.js';
import { type HttpRuntime, resolveHttpOptions } from '../../../src/http/http-options.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { type BackendMethod, OpenMemoryBackend, WrappedBackend } from '../../core/support/backends.js';
import { RecordingLogger, START } from '../../core/support/open-store.js';
import { SeededRandom } from '../../core/support/random.js';
import { findLostWrite, type Write } from './history.js';
import { RowRules } from './row-rules.js';
import { Scheduler } from './scheduler.js';

export const GRACE = 30_000;
export const EVERY = 15 * 60_000;
const REPLICAS = 2;
/** The longest delay of a timer: a schedule decides itself when touches are written. */
const NEVER = 2 ** 31 - 1;

/** Makes the storage of a schedule. A flawed one waits for `between` where it should be atomic. */
export type OpenStorage = (between: () => Promise<void>) => OpenMemoryBackend;

/** What a call was told when the connection broke. */
export class BrokenConnection extends Error {
  override readonly message = 'broken connection';
}

/** One storage, two replicas of the app on it, and what has to be true of them. */
export class World {
  readonly random: SeededRandom;
  readonly clock = new ManualClock(START);
  readonly scheduler: Scheduler;
  readonly storage: OpenMemoryBackend;
  readonly replicas: readonly SessionStore[];
  readonly rules: RowRules;
  readonly maxPerUser: number;
  /** What was written to each session, and to the one whose data it took over. */
  readonly histories = new Map<string, Write[]>();
  /** Sessions whose browsers may find themselves signed out: a thief was there, or a new token had to get lost. */
  readonly excused = new Set<string>();
  /** Hashes of tokens that a renewed proof of identity has put out of use. */
  readonly retired = new Set<string>();
  /** Sessions that were presented with a token that was not good enough to read them. */
  readonly unserved = new Set<string>();
  /** Sessions that were revoked because a token was reused. */
  readonly reused = new Set<string>();
  /** Sessions that the key-value face has stored something over. */
  readonly keyed = new Set<string>();
  /** Sessions that another one has taken the place of, and which. */
  readonly successors = new Map<string, string>();
  /** Ids at which the key-value face was told that a session may be met. */
  readonly meant = new Set<string>();
  /** Sessions of the service's own, by name, each with its token's hash. */
  readonly owned = new Map<string, { readonly id: string; hash: string }>();
  /** Calls of the storage under way. */
  callsUnderWay = 0;
  readonly #writing = new Set<number>();
  #values = 0;
  #inserted = new Set<string>();
  #lastMethod: BackendMethod | null = null;
  readonly #swapped = new Set<string>();
  readonly #reported = new Set<string>();

  constructor(seed: number, openStorage: OpenStorage) {
    this.random = new SeededRandom(seed);
    const { random } = this;
    this.maxPerUser = random.integer(1, 3);
    const onLimit = random.chance(0.2) ? 'reject' : 'evict';
    const every = random.chance(0.5) ? EVERY : undefined;
    this.scheduler = new Scheduler(random, random.chance(0.5) ? 0.03 : 0);
    this.storage = openStorage(() => this.#passes('  in between', false));
    this.rules = new RowRules(this.storage.stored, this.maxPerUser);
    const options = {
      plaintext: true,
      clock: this.clock,
      ttl: '1h',
      absoluteTtl: '3h',
      timeout: '1h',
    } as const;
    this.replicas = Array.from({ length: REPLICAS }, (_, replica) => {
      const backend = new WrappedBackend(this.storage, (method, call) => this.#call(replica, method, call));
      const rotation = { every, grace: GRACE };
      const limit = { maxPerUser: this.maxPerUser, onLimit } as const;
      const store = new SessionStore(
        watched(backend, this),
        { ...options, ...limit, rotation },
        new RecordingLogger(),
      );
      const { sealer, backend: guarded } = store.parts;
      const pause = () => this.#passes(`  replica ${replica} waits before it tries again`, false);
      const rest = () => this.#passes(`  replica ${replica} rests from its clean-up`, false);
      const writer = new SessionWriter(guarded, sealer, this.clock, 3_600_000, pause);
      store.events.on('reuse', ({ sessionId }) => this.reused.add(sessionId));
      const touches = new SessionTouches(
        guarded,
        this.clock,
        store.config.touchInterval,
        new RecordingLogger(),
        NEVER,
      );
      const pruning = new SessionPruning(guarded, this.clock, store.events, rest);
      Object.assign(store.parts, { writer, touches, pruning });
      return store;
    });
  }

  /** What the requests of a replica share. A rotation may only fail by the connection; no error belongs into the log. */
  runtime(replica: number): HttpRuntime {
    const unexpected = (message: string): void => this.scheduler.fail(`unexpected in the log: ${message}`);
    const warn = (message: string): void => {
      const isExpected = !message.includes('was not rotated') || message.includes('broken connection');
      if (!isExpected) unexpected(message);
    };
    const options = resolveHttpOptions({ cookie: { secure: false } });
    return { sessions: this.store(replica).manager, options, logger: { warn, error: unexpected } };
  }

  /** One of the replicas. */
  store(replica: number): SessionStore {
    return this.replicas[replica % REPLICAS] as SessionStore;
  }

  async start(): Promise<void> {
    this.scheduler.isFree = true;
    await Promise.all(this.replicas.map((store) => store.initSchema()));
    this.scheduler.isFree = false;
  }

  /** Hashes of the tokens that lead to a session now. */
  tokensOf(id: string | null): readonly string[] {
    const row = this.storage.stored.get(id ?? '');
    return [row?.tokenHash, row?.supersededHash].filter((hash) => typeof hash === 'string');
  }

  /** A replica writes the touches that wait, some time. */
  writeTouchesLater(replica: number): void {
    if (this.#writing.has(replica)) return;
    this.#writing.add(replica);
    void this.scheduler.gate(`  replica ${replica} writes its touches`).then(async () => {
      this.#writing.delete(replica);
      await this.store(replica).parts.touches.drain();
      this.scheduler.noteNews();
    });
  }

  /** A value that nothing else has. */
  newValue(): string {
    return `v${this.#values++}`;
  }

  /** The writes to a session so far. */
  historyOf(id: string): Write[] {
    let writes = this.histories.get(id);
    if (writes === undefined) this.histories.set(id, (writes = []));
    return writes;
  }

  /** Looks at the rows after a step, in which time passes too. */
  afterStep(): void {
    const wrong = this.rules.check(this.clock.now(), this.#lastMethod, this.#inserted);
    if (wrong !== null) this.scheduler.fail(wrong);
    this.#lastMethod = null;
    this.#inserted = new Set();
    this.clock.advance(1);
  }

  /** Compares what is stored with what was acknowledged. */
  checkData(): void {
    for (const row of this.storage.stored.values()) {
      if (!isActive(row, this.clock.now())) continue;
      const { data } = this.store(0).parts.sealer.open(row);
      const lost = findLostWrite(this.historyOf(row.id), data);
      if (lost !== null) this.scheduler.fail(`of ${row.id}, ${lost}`);
    }
  }

  async #passes(label: string, canBreak = true): Promise<void> {
    if ((await this.scheduler.gate(label, canBreak)) === 'break') throw new BrokenConnection();
  }

  /** Each call is seen twice: before the storage hears of it, and before the caller hears of the result. */
  async #call<T>(replica: number, method: BackendMethod, call: () => Promise<T>): Promise<T> {
    this.callsUnderWay++;
    try {
      await this.#passes(`  replica ${replica} calls ${method}`);
      const result = await call();
      this.#lastMethod = method;
      this.scheduler.noteNews();
      await this.#passes(`  replica ${replica} hears of ${method}: ${brief(result)}`);
      return result;
    } finally {
      this.callsUnderWay--;
    }
  }

  /** @internal */
  noteInsert(request: InsertRequest, result: InsertResult): void {
    if (result.status !== 'inserted') return;
    const { row, replaced } = result;
    const isPut = replaced !== null && request.replaces === row.id;
    if (
      isPut &&
      replaced.tokenHash !== null &&
      isActive(replaced, this.clock.now()) &&
      !this.meant.has(row.id)
    )
      this.scheduler.fail(`a put took the session ${row.id}, which it did not mean`);
    this.#inserted.add(row.id);
    this.#reported.delete(row.id);
    this.noteGone(result.evicted.map(({ id }) => id));
    if (replaced !== null && replaced.id !== row.id) {
      this.noteGone([replaced.id]);
      this.successors.set(replaced.id, row.id);
    }
    const isOwners = replaced !== null && (replaced.userId === null || replaced.userId === row.userId);
    const hands = isOwners && !(this.unserved.has(replaced.id) && this.#handsNothing(replaced, row));
    if (
      hands &&
      row.tokenHash !== null &&
      request.replaces !== row.id &&
      isActive(replaced, this.clock.now())
    ) {
      // A write under way may have been made before this, or be made to what is put at that id later.
      const writes = this.historyOf(replaced.id).map((write) =>
        write.ended === Infinity ? { ...write } : write,
      );
      this.histories.set(row.id, writes);
    } else {
      const { data } = this.store(0).parts.sealer.open(row);
      const { step } = this.scheduler;
      this.historyOf(row.id).push({ kind: 'replace', data, began: step, ended: step, isRefused: false });
    }
  }

  /** A sign-in with such a token ends the session, and takes nothing over. */
  #handsNothing(replaced: SessionRow, row: SessionRow): boolean {
    const { sealer } = this.store(0).parts;
    const [before, after] = [sealer.open(replaced).data, sealer.open(row).data];
    return Object.keys(before).every((key) => !Object.hasOwn(after, key));
  }

  /** @internal */
  noteGone(ids: readonly string[]): void {
    for (const id of ids) {
      if (this.#reported.has(id)) this.scheduler.fail(`${id} was ended twice`);
      this.#reported.add(id);
    }
  }

  /** @internal */
  noteSwap({ id, expected, next }: TokenChange, isDone: boolean): void {
    if (!isDone || expected.tokenHash === next.tokenHash) return;
    const swap = `${id} ${expected.tokenHash}`;
    if (this.#swapped.has(swap)) this.scheduler.fail(`one token of ${id} was rotated twice`);
    this.#swapped.add(swap);
  }
}

/** Tells the world what the storage says it did, at the moment it did it. */
function watched(backend: WrappedBackend, world: World): WrappedBackend {
  const { inner } = backend;
  const tell = {
    async insert(request: InsertRequest) {
      const result = await inner.insert(request);
      world.noteInsert(request, result);
      return result;
    },
    async delete(selection: RowSelection) {
      const rows = await inner.delete(selection);
      world.noteGone(rows.map(({ id }) => id));
      return rows;
    },
    async changeToken(change: TokenChange) {
      const isDone = await inner.changeToken(change);
      world.noteSwap(change, isDone);
      return isDone;
    },
  };
  const told = new Proxy(inner, {
    get(target, name) {
      if (Object.hasOwn(tell, name)) return Reflect.get(tell, name) as unknown;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
  return new WrappedBackend(told, backend.around);
}

function brief(result: unknown): string {
  if (Array.isArray(result)) return result.map((each) => brief(each)).join(', ');
  if (typeof result !== 'object' || result === null) return String(result);
  if ('status' in result) return `${String(result.status)} ${'row' in result ? brief(result.row) : ''}`;
  return 'id' in result ? String(result.id) : JSON.stringify(result);
}
