import type { BackendClient } from './backend-client.js';
import type { Clock } from './clock.js';
import type { SessionLogger } from './session-logger.js';
import type { EpochMs } from './session-row.js';
import { withTimeout } from './timeout.js';

/*
 * What a storage says of its own state, and whether its clock and that of this process agree.
 */

/** Something that a storage says of itself, or that its clock shows. */
export interface StorageFinding {
  readonly code: 'clock' | 'storage';
  /** For the log: it may name hosts and settings. */
  readonly message: string;
}

/** What was found: problems, for which sessions are not to be relied on, and warnings. */
export interface StorageFindings {
  readonly problems: readonly StorageFinding[];
  readonly warnings: readonly StorageFinding[];
}

/** Asks the storage how it is, for health, and once at startup for the log. */
export class StorageHealth {
  readonly #backend: BackendClient;
  readonly #clock: Clock;
  readonly #grace: number;
  readonly #logger: SessionLogger;
  #watching: Promise<void> | null = null;
  /** What has been logged of the state as it is, without its figures. */
  #told: ReadonlySet<string> = new Set();

  /** @param grace milliseconds for which a superseded token works: clocks that differ by more cannot be relied on */
  constructor(backend: BackendClient, clock: Clock, grace: number, logger: SessionLogger) {
    this.#backend = backend;
    this.#clock = clock;
    this.#grace = grace;
    this.#logger = logger;
  }

  /**
   * What there is to say, which is logged when it is new.
   *
   * @throws SessionStoreError when storage cannot be reached
   */
  async check(): Promise<StorageFindings> {
    const findings = await this.#find();
    const messages = [...findings.problems, ...findings.warnings].map(({ message }) => message);
    for (const message of messages) if (!this.#told.has(withoutFigures(message))) this.#logger.warn(message);
    this.#told = new Set(messages.map(withoutFigures));
    return findings;
  }

  async #find(): Promise<StorageFindings> {
    const { problems, warnings, now } = await this.#backend.health();
    const gap = now === null || this.#clock.standsStill === true ? 0 : this.#clock.now() - now;
    const clock = clockFinding(gap, this.#grace);
    const isProblem = clock?.isProblem === true;
    return {
      problems: [...problems.map(ofStorage), ...(isProblem ? [clock.finding] : [])],
      warnings: [...warnings.map(ofStorage), ...(clock !== null && !isProblem ? [clock.finding] : [])],
    };
  }

  /** Logs what there is to say, in the background. */
  watch(): void {
    this.#watching ??= this.#log().finally(() => (this.#watching = null));
  }

  /** Resolves when nothing is under way in the background, after a second at the latest. */
  async drain(): Promise<void> {
    const watching = this.#watching;
    if (watching === null) return;
    await withTimeout(
      () => watching,
      LONGEST_WAIT,
      () => undefined,
    );
  }

  async #log(): Promise<void> {
    try {
      await this.check();
    } catch {
      // The request that meets a failing storage reports it.
    }
  }
}

/** Milliseconds by which two clocks may differ without a word: NTP keeps them together within a few. */
const TOLERANCE = 1_000;

/** Milliseconds that a closing app waits for a check under way. */
const LONGEST_WAIT = 1_000;

/**
 * What is to be said of two clocks.
 *
 * @param gap milliseconds by which the clock of this process is ahead of that of the storage
 * @param grace beyond it, and beyond a second, it is a problem
 * @returns `null`: nothing
 */
export function clockFinding(
  gap: EpochMs,
  grace: number,
): { readonly finding: StorageFinding; readonly isProblem: boolean } | null {
  const size = Math.abs(gap);
  if (size <= TOLERANCE) return null;
  const seconds = (size / 1_000).toFixed(1);
  const message =
    `The clock of this process is ${seconds} s ${gap > 0 ? 'ahead of' : 'behind'} that of the storage: here sessions end ` +
    `that much too ${gap > 0 ? 'early' : 'late'}, if the storage is right. Set both by NTP`;
  return { finding: { code: 'clock', message }, isProblem: size > grace };
}

/** The same of two messages that say the same with other numbers, of the same host. */
function withoutFigures(message: string): string {
  return message.replaceAll(/(?<![\w.:])\d+(?:\.\d+)?(?![\d.:])/g, '#');
}

const ofStorage = (message: string): StorageFinding => ({ code: 'storage', message });
