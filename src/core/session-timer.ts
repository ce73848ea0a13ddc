import { type Duration, LONGEST_TIMER, parseDuration } from './duration.js';
import type { SessionLogger } from './session-logger.js';

/** Something that runs until it is stopped. */
export interface Stoppable {
  stop(): void;
}

/** Runs `work` every `interval`. A failure is logged; the next run comes all the same. Does not keep Node alive. */
export function startTimer(
  interval: Duration,
  work: () => Promise<unknown>,
  logger: SessionLogger,
): Stoppable {
  const timer = setInterval(
    () => void work().catch((error: unknown) => logger.warn(`Session clean-up failed: ${String(error)}`)),
    Math.min(parseDuration('interval', interval), LONGEST_TIMER),
  ).unref();
  return { stop: () => clearInterval(timer) };
}
