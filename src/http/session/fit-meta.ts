import type { JsonObject, JsonValue } from '../../core/json-data.js';
import { MAX_META_BYTES } from '../../core/payload-sealer.js';

/**
 * What is kept about a client: `client`, which comes of the request, and over it `own`, which the app gave for this
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
