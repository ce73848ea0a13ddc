import type { JsonObject } from '../core/json-data.js';
import type { BagSource } from './session-bag.js';
import type { SessionExchange } from './session-exchange.js';
import type { HttpRuntime } from './session-runtime.js';

/** Apps that have been warned. */
const warned = new WeakSet<HttpRuntime>();

/** The data of the session as it is, until it is pinned: then, what it was. */
export class LiveSource implements BagSource {
  #pinned: JsonObject | null = null;

  constructor(
    private readonly exchange: SessionExchange,
    readonly members: object,
  ) {}

  get data(): JsonObject {
    return this.#pinned ?? this.exchange.session.data;
  }

  pin(data: JsonObject): void {
    this.#pinned = data;
  }

  noteWrite(key: string): void {
    const { runtime, session } = this.exchange;
    if ((key !== 'userId' && key !== 'user') || session.isAuthenticated || warned.has(runtime)) return;
    warned.add(runtime);
    runtime.logger.warn(
      `\`req.session.${key}\` was set while nobody is signed in, which signs nobody in: limits, lists and ` +
        '`@RequireAuth()` know only who `await session.authenticate(userId)` has signed in, with the session of ' +
        '`@Session()` from nest-sessions or `sessionOf(request)`',
    );
  }
}
