import type { MemorySessionBackend } from '../../../src/backends/memory/memory-session-backend.js';

/** A backend that breaks the contract in one way. */
export interface Flaw {
  readonly Backend: new () => MemorySessionBackend;
  /** The group of rules that has to notice. */
  readonly caughtBy: string;
}

/** Byte for byte, as ids are ordered. */
export const compareBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Gives way to all that is waiting. */
export const pause = () => new Promise<void>((resolve) => setImmediate(resolve));
