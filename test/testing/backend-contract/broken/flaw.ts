import type { MemorySessionBackend } from '../../../../src/backends/memory/memory-session-backend.js';

/** A backend that breaks the contract in one way. */
export interface Flaw {
  readonly Backend: new (beside?: MemorySessionBackend) => MemorySessionBackend;
  /** The rule that has to notice, as `group › name`; others may too. */
  readonly caughtBy: string;
}

/** Byte for byte, as ids are ordered. */
export const compareBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Gives way to all that is waiting. */
export const pause = () => new Promise<void>((resolve) => setImmediate(resolve));
