import Bowser from 'bowser';
import type { JsonObject } from '../core/json-data.js';

/** Longest user agent that is kept, in characters. */
const MAX_USER_AGENT = 512;

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

/**
 * What is kept about the client of a sign-in: `ip` (what the platform's proxy settings make of it), `userAgent` (cut
 * at 512 characters), `deviceName` ("Chrome on macOS") and `deviceType` (`desktop`, `mobile`, `tablet`, `tv`, `bot` or
 * `unknown`).
 */
export function describeClient(request: ClientRequest): JsonObject {
  const userAgent = userAgentOf(request);
  return { ip: request.ip ?? null, userAgent: userAgent || null, ...describeDevice(userAgent) };
}

function describeDevice(userAgent: string): { deviceName: string; deviceType: string } {
  if (userAgent === '') return { deviceName: 'Unknown device', deviceType: 'unknown' };
  const { browser, os, platform } = Bowser.parse(userAgent);
  const name = [browser.name, os.name].filter((part) => part !== undefined && part !== '').join(' on ');
  return { deviceName: name || 'Unknown device', deviceType: platform.type ?? 'unknown' };
}
