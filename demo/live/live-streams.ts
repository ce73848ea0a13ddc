import { type BeforeApplicationShutdown, Injectable, type MessageEvent } from '@nestjs/common';
import { interval, map, merge, NEVER, type Observable, of, ReplaySubject, takeUntil } from 'rxjs';

/** Milliseconds between two lines that say nothing: proxies close what is silent for a minute. */
const PULSE = 25_000;

/**
 * The event streams of open pages. That they end with their session is not done here: the library does it, in whichever
 * process the session was ended. What is left is the end of this process.
 */
@Injectable()
export class LiveStreams implements BeforeApplicationShutdown {
  readonly #closing = new ReplaySubject<void>(1);

  /**
   * The stream of one page: whose it is, and then the given events. It goes on until the session ends, the page goes away,
   * or the app shuts down, which would wait for it.
   */
  of(userId: string, events: Observable<MessageEvent> = NEVER): Observable<MessageEvent> {
    const owner: Observable<MessageEvent> = of({ type: 'user', data: userId });
    const pulse = interval(PULSE).pipe(map((): MessageEvent => ({ comment: '' })));
    return merge(owner, pulse, events).pipe(takeUntil(this.#closing));
  }

  beforeApplicationShutdown(): void {
    this.#closing.next();
  }
}
