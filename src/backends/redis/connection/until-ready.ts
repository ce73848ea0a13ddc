import { performance, sleep } from '../../../core/timers.js';

/** Milliseconds for which a write waits for a client that is connecting again, and between two looks. */
const [PATIENCE, PAUSE] = [1_000, 10];

/**
 * Resolves when a client is connected. Clients of apps keep what they cannot send, and send it however much later: a sign-in
 * that was answered 503 long ago would be carried out then, and take a place among the sessions of the user.
 *
 * @throws Error when it has not been connected for a second
 */
export async function untilReady(isReady: () => boolean): Promise<void> {
  for (const end = performance.now() + PATIENCE; !isReady();) {
    if (performance.now() >= end)
      throw new Error('The client of the sessions is not connected, so nothing was sent');
    await sleep(PAUSE);
  }
}
