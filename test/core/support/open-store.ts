import type { SessionBackend } from '../../../src/core/session-backend.js';
import type { SessionEventMap, SessionEventName } from '../../../src/core/session-events.js';
import type { SessionLogger } from '../../../src/core/session-logger.js';
import type { SessionStoreOptions } from '../../../src/core/session-options.js';
import { SessionRecord } from '../../../src/core/session-record.js';
import { SessionStore } from '../../../src/core/session-store.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { OpenMemoryBackend } from './backends.js';

export const START = Date.UTC(2030, 0, 1, 12);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** 32 bytes each, never used outside tests. */
export const KEY = Buffer.alloc(32, 'first key of the tests');
export const OTHER_KEY = Buffer.alloc(32, 'second key of the tests');

export class RecordingLogger implements SessionLogger {
  readonly warnings: string[] = [];
  readonly errors: string[] = [];

  warn(message: string): void {
    this.warnings.push(message);
  }

  error(message: string): void {
    this.errors.push(message);
  }
}

/** A record with its data, which is no field of it. */
function whole<T>(value: T): T {
  return value instanceof SessionRecord ? Object.assign({}, value, { data: value.data }) : value;
}

type Equals = (left: unknown, right: unknown, testers: unknown) => boolean;

/** Of Jest; missing in the child processes of specs. */
const { expect: jest } = globalThis as {
  expect?: { addEqualityTesters(testers: readonly unknown[]): void };
};

// Records are equal only when their data is, too.
jest?.addEqualityTesters([
  function (this: { equals: Equals }, left: unknown, right: unknown, testers: unknown) {
    if (!(left instanceof SessionRecord || right instanceof SessionRecord)) return undefined;
    return this.equals(whole(left), whole(right), testers);
  },
]);

/** A copy of `value` with changes. */
export function changed<T extends object>(value: T, changes: Partial<T>): T {
  const copy = Object.create(Object.getPrototypeOf(value) as object) as T;
  const properties = Object.getOwnPropertyDescriptors(Object.assign({}, whole(value), changes));
  return Object.defineProperties(copy, properties);
}

/** A store on the reference backend, at a time that stands still. */
export function openStore<B extends SessionBackend = OpenMemoryBackend>(
  options: SessionStoreOptions = {},
  given?: B,
) {
  const backend = given ?? new OpenMemoryBackend();
  const clock = new ManualClock(START);
  const logger = new RecordingLogger();
  const keyed = options.plaintext === true ? options : { key: KEY, ...options };
  const store = new SessionStore(backend, { clock, ...keyed }, logger);
  return { store, backend: backend as B, clock, logger };
}

const EVENT_NAMES: readonly SessionEventName[] = [
  'created',
  'authenticated',
  'rotated',
  'evicted',
  'revoked',
  'expired',
  'reuse',
  'client-change',
  'tampered',
  'cleanup',
];

export type RecordedEvent = { readonly name: SessionEventName } & Partial<SessionEventMap['revoked']>;

/** Everything that the store tells from now on. */
export function recordEvents(store: SessionStore): RecordedEvent[] {
  const events: RecordedEvent[] = [];
  for (const name of EVENT_NAMES) store.events.on(name, (event) => void events.push({ name, ...event }));
  return events;
}
