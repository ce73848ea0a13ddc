import Bowser from 'bowser';
import type { ClientRequest } from './platform-request.js';

/*
 * The User-Agent header of a request, and the browser, system and kind of device that it names.
 */

/** Longest user agent that is read and kept, in characters. */
const MAX_USER_AGENT = 512;

/** The user agent, cut at 512 characters; empty without one. */
export function userAgentOf({ headers }: ClientRequest): string {
  const agent = headers['user-agent'];
  return typeof agent === 'string' ? agent.slice(0, MAX_USER_AGENT) : '';
}

/** What a user agent says of itself. Names may be of its own making. */
export interface Agent {
  readonly browser: string;
  readonly os: string;
  readonly type: string;
}

/** Reads a user agent; of one that cannot be read, all is empty. */
export function parseAgent(userAgent: string): Agent {
  try {
    const { browser, os, platform } = Bowser.parse(userAgent);
    return { browser: browser.name ?? '', os: os.name ?? '', type: platform.type ?? '' };
  } catch {
    return { browser: '', os: '', type: '' }; // no header may make a sign-in fail
  }
}
