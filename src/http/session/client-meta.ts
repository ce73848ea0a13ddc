import { type JsonObject, type JsonValue, toJsonObject } from '../../core/json-data.js';
import { MAX_META_BYTES } from '../../core/payload-sealer.js';
import { SessionDataError } from '../../core/session-errors.js';
import type { ClientRequest } from '../platform/platform-request.js';
import { parseAgent, userAgentOf } from '../platform/user-agent.js';

/*
 * `meta` of a new session: what is stored about the client of a sign-in, and how much of it.
 */

/** Characters of an address that are kept at most. Real ones are shorter; behind a trusted proxy a client may make one up. */
const MAX_ADDRESS = 64;

/** Characters of the name of a device that are kept at most. */
const MAX_NAME = 64;

const DEVICE_TYPES: readonly string[] = ['desktop', 'mobile', 'tablet', 'tv', 'bot'];

/**
 * `meta` of a new session: what is known of the client, what the option `meta` of the module adds, and over both what the
 * app gave for this sign-in. Where all is larger than 4096 bytes, what the client sent is cut.
 *
 * @param option the option `meta`
 * @param own what the app gave for this sign-in
 * @throws SessionDataError when the option gives no object; a promise of one is none
 */
export function metaOf(
  request: ClientRequest,
  option: (request: ClientRequest) => object,
  own: JsonObject,
): JsonObject {
  return fitMeta({ ...describeClient(request), ...added(option(request)) }, own);
}

/** What the `meta` option returned, if it is an object. */
function added(value: object): JsonObject {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isObject) return toJsonObject(value, 'meta');
  throw new SessionDataError('The `meta` option: expected a function that gives an object', { path: 'meta' });
}

/** The client's address: what the platform's proxy settings make of it, cut at 64 characters. */
export function addressOf({ ip }: ClientRequest): string | undefined {
  return typeof ip === 'string' ? ip.slice(0, MAX_ADDRESS) : undefined;
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

/** Whether the name has no character of markup, so that a page may show it unescaped. */
function isPlainName(name: string): boolean {
  return /^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._+-]*$/u.test(name);
}

/**
 * What is kept in the end: `client`, which comes of the request, and over it `own`, which the app gave for this
 * sign-in. A client's long headers must not make that fail: where the whole is too large, the longest strings of
 * `client` are cut until it fits, and where that is not enough its largest members are left out. `own` stays as it is,
 * so that a session is refused which holds too much of it.
 */
export function fitMeta(client: JsonObject, own: JsonObject): JsonObject {
  const whole = { ...client, ...own };
  if (fits(whole)) return whole;
  const rest: JsonObject = { ...client };
  for (const key of Object.keys(own)) delete rest[key];
  while (!fits({ ...cut(rest, 0), ...own })) {
    const largest = largestMember(rest);
    if (largest === undefined) return own;
    delete rest[largest];
  }
  const length = longestThatFits((limit) => ({ ...cut(rest, limit), ...own }));
  return { ...cut(rest, length), ...own };
}

function fits(meta: JsonObject): boolean {
  return Buffer.byteLength(JSON.stringify(meta)) <= MAX_META_BYTES;
}

/** The largest length of strings, up to that of the limit, with which it fits. 0 does. */
function longestThatFits(cutAt: (limit: number) => JsonObject): number {
  let [fitting, tooLong] = [0, MAX_META_BYTES];
  while (tooLong - fitting > 1) {
    const middle = Math.floor((fitting + tooLong) / 2);
    if (fits(cutAt(middle))) fitting = middle;
    else tooLong = middle;
  }
  return fitting;
}

/** A copy with no string longer than `limit`, in UTF-16 units. No character is cut in two. */
function cut(value: JsonObject, limit: number): JsonObject;
function cut(value: JsonValue, limit: number): JsonValue;
function cut(value: JsonValue, limit: number): JsonValue {
  if (typeof value === 'string')
    return value.length <= limit ? value : value.slice(0, limit).replace(/[\uD800-\uDBFF]$/, '');
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => cut(item, limit));
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, cut(member, limit)]));
}

function largestMember(value: JsonObject): string | undefined {
  return Object.entries(value).toSorted((one, other) => sizeOf(other) - sizeOf(one))[0]?.[0];
}

function sizeOf([key, member]: readonly [string, JsonValue]): number {
  return key.length + JSON.stringify(member).length;
}
