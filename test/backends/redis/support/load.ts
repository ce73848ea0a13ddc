import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisSessionBackend } from '../../../../src/backends/redis/index.js';
import { inserting, row } from '../../../../src/testing/backend-contract/contract-rule.js';

/** Visitors who sign in, and every second time out again, as fast as they are answered, until the load is stopped. */
export class Load {
  /** Ids of sessions whose sign-in was acknowledged, and of those whose sign-out was too. */
  readonly kept = new Set<string>();
  readonly ended = new Set<string>();
  refusals = 0;
  #isOver = false;
  readonly #visits: ReadonlyArray<Promise<void>>;

  constructor(backend: RedisSessionBackend, visitors: number) {
    this.#visits = Array.from({ length: visitors }, (_, name) => this.#visit(backend, name));
  }

  /** How many calls have been acknowledged. */
  get acknowledged(): number {
    return this.kept.size + 2 * this.ended.size;
  }

  /** Resolves when nothing is under way, after five seconds at the latest: ioredis, ended while it connects again, never answers. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.race([Promise.all(this.#visits), sleep(5_000, undefined, { ref: false })]);
  }

  /** How much of what was acknowledged is not so by now: sessions that are missing, and such as are back. */
  async undoneIn(backend: RedisSessionBackend): Promise<number> {
    const [lost, back] = await Promise.all([backend.find([...this.kept]), backend.find([...this.ended])]);
    return lost.filter((each) => each === null).length + back.filter((each) => each !== null).length;
  }

  async #visit(backend: RedisSessionBackend, name: number): Promise<void> {
    for (let count = 0; !this.#isOver; count++) {
      const one = row(`${name}-${count}`, { userId: `user-${name}-${count % 50}` });
      try {
        await backend.insert(inserting(one));
        this.kept.add(one.id);
        if (count % 2 === 0) continue;
        this.kept.delete(one.id); // until the sign-out is acknowledged, either may be
        await backend.delete({ ids: [one.id] });
        this.ended.add(one.id);
      } catch {
        this.refusals++;
        await sleep(50);
      }
    }
  }
}

/** Waits up to a minute. */
export async function waitUntil(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 60_000; performance.now() < end; await sleep(20))
    if (await isSo()) return;
  throw new Error('it has not come to that within a minute');
}
