/** The sessions that have ended: by id, or any of them. */
export type EndedSessions = readonly string[] | 'all';

/**
 * Tells the other processes of an app that sessions have ended, so that what they have open for those is looked up at once
 * rather than within `live.recheck`. It is a hint and no more: what is lost is found by the next look-up, and what somebody
 * made up ends nothing. So a bus needs no guarantees, and storage alone decides.
 *
 * @example Redis, on two connections such as those of ioredis
 * ```ts
 * import type { EventEmitter } from 'node:events';
 *
 * interface Redis extends EventEmitter {
 *   publish(channel: string, message: string): Promise<unknown>;
 *   subscribe(channel: string): Promise<unknown>;
 *   quit(): Promise<unknown>;
 * }
 *
 * export class RedisBus implements SessionBus {
 *   constructor(readonly publisher: Redis, readonly subscriber: Redis) {}
 *
 *   publish(ended: EndedSessions) {
 *     return this.publisher.publish('sessions', JSON.stringify(ended));
 *   }
 *
 *   subscribe(listener: (ended: EndedSessions) => void) {
 *     this.subscriber.on('message', (_, message: string) => listener(JSON.parse(message) as EndedSessions));
 *     void this.subscriber.subscribe('sessions').then(() => listener('all'));
 *     return () => Promise.all([this.publisher.quit(), this.subscriber.quit()]);
 *   }
 * }
 * ```
 */
export interface SessionBus {
  /**
   * Tells everybody who listens, this process or not. Called after the sessions have ended, with at most 200 ids.
   *
   * @returns may promise, and may reject, which is logged: nobody waits for it but the shutdown
   */
  publish(ended: EndedSessions): unknown;
  /**
   * From now on calls `listener` with what is published, and with `'all'` when something may have been missed. Called once,
   * when the app starts. It throws nothing when there is no connection yet, and goes on trying by itself.
   *
   * @returns stops that, at shutdown, when nothing is published any more; may promise, and is waited for
   */
  subscribe(listener: (ended: EndedSessions) => void): () => unknown;
}
