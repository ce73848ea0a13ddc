import { Injectable } from '@nestjs/common';
import { SessionEvents } from 'nest-sessions';
import { filter, interval, merge, type Observable, Subject } from 'rxjs';

/** Milliseconds between two looks: what another process has done shows within that. */
const INTERVAL = 2_000;

/** When to look at the devices of a user again. */
@Injectable()
export class DeviceChanges {
  /** Users whose devices this process has changed. */
  readonly #changed = new Subject<string | null>();

  constructor(events: SessionEvents) {
    for (const name of ['authenticated', 'evicted', 'revoked'] as const)
      events.on(name, ({ userId }) => this.#changed.next(userId));
  }

  /** Emits when they have changed in this process, and from time to time, because another one may have changed them. */
  of(userId: string): Observable<unknown> {
    return merge(interval(INTERVAL), this.#changed.pipe(filter((changed) => changed === userId)));
  }
}
