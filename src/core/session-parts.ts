import { BackendClient } from './backend-client.js';
import { type Clock, nameOfClock } from './clock.js';
import { KeysInUse } from './keys-in-use.js';
import { PayloadSealer } from './payload-sealer.js';
import { SessionCreation } from './session-creation.js';
import { SessionEvents } from './session-events.js';
import type { SessionBackend } from './session-backend.js';
import type { SessionBus } from './session-bus.js';
import { LiveSessions } from './live-sessions.js';
import { processLogger, type SessionLogger } from './session-logger.js';
import type { ResolvedStoreOptions, SessionConfig } from './session-options.js';
import { SessionPruning } from './session-pruning.js';
import { StorageHealth } from './storage-health.js';
import { TokenResolver } from './token-resolver.js';
import { TokenIssuer } from './session-token.js';
import { SessionTouches } from './session-touches.js';
import { SessionWriter } from './session-writer.js';
import { TokenRotation } from './token-rotation.js';
import { UnknownKeys } from './unknown-keys.js';

/**
 * Makes the objects that work on the sessions of one backend (creation, writing, rotation, touches, …), each once, and gives
 * each the others that it needs. The rest of the library calls them through `SessionManager` and `SessionStore`.
 */
export class SessionParts {
  readonly config: SessionConfig;
  readonly clock: Clock;
  /** Name of this process's clock: a row says which clock its instants came from. */
  readonly clockName: string;
  readonly events: SessionEvents;
  readonly backend: BackendClient;
  readonly sealer: PayloadSealer;
  readonly issuer: TokenIssuer;
  readonly creation: SessionCreation;
  readonly writer: SessionWriter;
  readonly resolver: TokenResolver;
  readonly rotation: TokenRotation;
  readonly pruning: SessionPruning;
  readonly touches: SessionTouches;
  readonly keysInUse: KeysInUse;
  readonly storageHealth: StorageHealth;
  readonly live: LiveSessions;
  readonly unknownKeys: UnknownKeys;

  constructor(
    backend: SessionBackend,
    readonly options: ResolvedStoreOptions,
    readonly logger: SessionLogger = processLogger,
  ) {
    const { config, clock, ring } = options;
    this.config = config;
    this.clock = clock;
    this.clockName = nameOfClock(clock);
    this.events = new SessionEvents((name, error) =>
      logger.warn(
        `A listener for the session event '${name}' failed: ${error instanceof Error ? error.stack : String(error)}`,
      ),
    );
    this.backend = new BackendClient(backend, config.timeout, logger);
    this.unknownKeys = new UnknownKeys(clock);
    this.sealer = new PayloadSealer(ring, config.maxDataBytes, this.unknownKeys);
    this.issuer = new TokenIssuer(ring);
    this.creation = new SessionCreation(this.backend, this.sealer, this.issuer, clock, config);
    this.writer = new SessionWriter(this.backend, this.sealer, clock, config.timeout);
    this.resolver = new TokenResolver(
      this.backend,
      this.sealer,
      clock,
      this.clockName,
      config,
      this.events,
      logger,
    );
    this.rotation = new TokenRotation(
      this.backend,
      this.sealer,
      this.issuer,
      clock,
      this.clockName,
      config,
      this.events,
    );
    this.pruning = new SessionPruning(this.backend, clock, this.events);
    this.touches = new SessionTouches(this.backend, clock, config.touchInterval, logger);
    this.live = new LiveSessions(
      this.backend,
      clock,
      this.events,
      config.live.recheck,
      logger,
      this.#busOf(backend),
      config.timeout,
    );
    this.keysInUse = new KeysInUse(this.backend, clock, ring, logger);
    this.storageHealth = new StorageHealth(this.backend, clock, config.rotation.grace, logger);
  }

  #busOf(backend: SessionBackend): SessionBus | null {
    const { bus } = this.options;
    if (bus !== 'storage') return bus;
    const found = backend.bus();
    if (found === null) {
      this.logger.warn(
        '`live.bus`: the storage of sessions has none of its own, as PostgreSQL has. Sessions that other processes end are found each `live.recheck`',
      );
    }
    return found;
  }
}
