import { hidesOrigin } from './csrf.js';
import type { PlatformRequest } from '../platform/platform-request.js';
import { CrossSiteRequestException } from '../errors/exceptions.js';
import type { HttpRuntime } from '../http-runtime.js';

/** The answer to a request that a page of another site made a browser send, and a line in the log about it. */
export function refuseForeign(
  { manager, options, logger }: HttpRuntime,
  request: PlatformRequest,
): CrossSiteRequestException {
  const line = options.crossSiteLog.lineAbout(request, manager.clock.now());
  if (line !== null) logger.warn(line);
  return new CrossSiteRequestException(hidesOrigin(request) ? 'hidden-origin' : 'other-site');
}
