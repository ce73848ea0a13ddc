import Bowser from 'bowser';
import type { JsonObject } from '../../core/json-data.js';

/** Longest user agent that is kept, in characters. */
const MAX_USER_AGENT = 512;

/** Longest address that is kept: longer than any, but not than what a client says behind a proxy that is trusted. */
const MAX_ADDRESS = 64;

/** Longest name of a device. */
const MAX_NAME = 64;

const DEVICE_TYPES: readonly string[] = ['desktop', 'mobile', 'tablet', 'tv', 'bot'];

/** The part of a request that both platforms have. */
export interface ClientRequest {
  readonly ip?: string;
  readonly method?: string;
  /** `http` or `https`, by the word of a proxy that the platform trusts. */
  readonly protocol?: string;
  /** Host and port that were addressed, by the word of a proxy that the platform trusts. */
  readonly host?: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** The user agent, cut at 512 characters; empty without one. */
export function userAgentOf({ headers }: ClientRequest): string {
  const agent = headers['user-agent'];
  return typeof agent === 'string' ? agent.slice(0, MAX_USER_AGENT) : '';
}

/** The client's address: what the platform's proxy settings make of it, cut at 64 characters. */
export function addressOf({ ip }: ClientRequest): string | undefined {
  return typeof ip === 'string' ? ip.slice(0, MAX_ADDRESS) : undefined;
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
    return { browser: '', os: '', type: '' }; // a sign-in does not fail by a header
  }
}

/**
 * What is kept about the client of a sign-in: `ip` (what the platform's proxy settings make of it), `userAgent` (cut
 * at 512 characters), `deviceName` ("Chrome on macOS": letters, digits, spaces and `._+-` alone) and `deviceType`
 * (`desktop`, `mobile`, `tablet`, `tv`, `bot` or `unknown`).
 */
export function describeClient(request: ClientRequest): JsonObject {
  const userAgent = userAgentOf(request);
  return { ip: addressOf(request) ?? null, userAgent: userAgent || null, ...describeDevice(userAgent) };
}

function describeDevice(userAgent: string): { deviceName: string; deviceType: string } {
  const { browser, os, type } = parseAgent(userAgent);
  const name = [browser, os].filter(isPlainName).join(' on ').slice(0, MAX_NAME);
  return {
    deviceName: name || 'Unknown device',
    deviceType: DEVICE_TYPES.includes(type) ? type : 'unknown',
  };
}

/** Whether it can stand in a page as it is: markup is no name. */
function isPlainName(name: string): boolean {
  return /^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._+-]*$/u.test(name);
}
