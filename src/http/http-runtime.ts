import type { LoggerService } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import type { SessionManager } from '../core/session-manager.js';
import type { PlatformRequest } from './platform/platform-request.js';
import type { ResolvedHttpOptions } from './http-options.js';

/** What all exchanges of an app share. */
export interface HttpRuntime {
  readonly manager: SessionManager;
  readonly options: ResolvedHttpOptions;
  readonly logger: Pick<LoggerService, 'warn' | 'error'>;
}

/** One request and its response. */
export interface ExchangeInput {
  readonly request: PlatformRequest;
  /** The raw response of Node, whatever the platform. */
  readonly response: ServerResponse;
  /** Whether serving the request counts as use of the session; `null`: it does when something reads the session. */
  readonly isUse: boolean | null;
}

/** What is known of a request once it has been routed. */
export type RoutedInput = Pick<ExchangeInput, 'request' | 'isUse'>;
