import { hidesOrigin } from './cross-site.js';
import type { PlatformRequest } from './platform-request.js';
import { CrossSiteRequestException } from './session-exceptions.js';
import type { HttpRuntime } from './session-runtime.js';

/** The answer to a request that a page of another site made a browser send, and a line in the log about it. */
export function refuseForeign(
  { engine, options, logger }: HttpRuntime,
  request: PlatformRequest,
): CrossSiteRequestException {
  const line = options.crossSiteLog.lineAbout(request, engine.clock.now());
  if (line !== null) logger.warn(line);
  return new CrossSiteRequestException(hidesOrigin(request) ? 'hidden-origin' : 'other-site');
}
