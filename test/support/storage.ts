import { setTimeout as after } from 'node:timers/promises';
import type { SessionBackend } from '../../src/core/session-backend.js';
import type { SessionRow } from '../../src/core/session-row.js';
import {
  type BackendMethod,
  OpenMemoryBackend,
  type OpenRows,
  WrappedBackend,
} from '../core/support/backends.js';
import type { DatabaseKind } from './databases.js';
import { dropDatabase, newDatabaseRows } from './database-rows.js';

/** What the tests run on: see jest-projects.js. */
declare const TEST_DATABASE: DatabaseKind | undefined;

/** `null`: the reference backend. */
export const DATABASE: DatabaseKind | null =
  typeof TEST_DATABASE === 'undefined' ? null : (TEST_DATABASE ?? null);

if (DATABASE !== null) afterAll(dropDatabase);

/** A call that waits until the test lets it go on. */
export interface Held {
  /** Resolves when the call has been made. */
  readonly reached: Promise<void>;
  /** Lets it go on; with an error, lets it fail. */
  release(error?: Error): void;
}

/** What storage is said to say about itself when it is down: things that no client may read. */
export const OUTAGE = 'connect ECONNREFUSED db-7.internal:5432 as sessions_rw';

interface Hold {
  readonly method: BackendMethod;
  readonly when: 'before' | 'after';
  arrive(): void;
  readonly gate: Promise<void>;
}

/** The reference backend under an app, or one on a database, with its calls counted, held, slowed down and failed. */
export class TestStorage<B extends SessionBackend = OpenRows> {
  readonly backend: WrappedBackend;
  readonly #failing = new Set<BackendMethod>();
  readonly #holds: Hold[] = [];
  readonly #delays = new Map<BackendMethod, number>();

  constructor(readonly memory: B) {
    this.backend = new WrappedBackend(memory, (method, call) => this.#around(method, call));
  }

  /** Empty, on what the tests run on. */
  static async open(): Promise<TestStorage> {
    return new TestStorage(DATABASE === null ? new OpenMemoryBackend() : await newDatabaseRows(DATABASE));
  }

  /** Calls since `forget()`, in order, by name. */
  get calls(): readonly BackendMethod[] {
    return this.backend.calls;
  }

  forget(): void {
    this.backend.calls.length = 0;
  }

  fail(...methods: BackendMethod[]): void {
    for (const method of methods) this.#failing.add(method);
  }

  /** Everything fails, as when the database is unreachable. */
  goDown(): void {
    this.fail(
      'init',
      'find',
      'alive',
      'insert',
      'save',
      'touch',
      'changeToken',
      'delete',
      'list',
      'walk',
      'prune',
      'keysInUse',
    );
  }

  recover(): void {
    this.#failing.clear();
    this.#delays.clear();
  }

  /** From now on each call of `method` takes that long. */
  slow(method: BackendMethod, milliseconds: number): void {
    this.#delays.set(method, milliseconds);
  }

  /** Holds the next call of `method`: before it does its work, or when it has and is about to answer. */
  hold(method: BackendMethod, when: Hold['when'] = 'before'): Held {
    let arrive = (): void => undefined;
    let release: Held['release'] = () => undefined;
    const reached = new Promise<void>((resolve) => (arrive = resolve));
    const gate = new Promise<void>((resolve, reject) => {
      release = (error) => (error ? reject(error) : resolve());
    });
    this.#holds.push({ method, when, arrive, gate });
    return { reached, release };
  }

  async #around<T>(method: BackendMethod, call: () => Promise<T>): Promise<T> {
    const index = this.#holds.findIndex((hold) => hold.method === method);
    const [hold] = index < 0 ? [] : this.#holds.splice(index, 1);
    const wait = async (when: Hold['when']): Promise<void> => {
      if (hold?.when !== when) return;
      hold.arrive();
      await hold.gate;
    };
    await wait('before');
    const delay = this.#delays.get(method);
    if (delay !== undefined) await after(delay);
    if (this.#failing.has(method)) throw new Error(OUTAGE);
    const result = await call();
    await wait('after');
    return result;
  }
}

/** The rows that are stored. */
export function rowsOf({ memory }: TestStorage): SessionRow[] {
  return [...memory.stored.values()];
}
