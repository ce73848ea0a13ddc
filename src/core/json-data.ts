import { types } from 'node:util';
import { SessionDataError } from './session-errors.js';

/** What JSON can hold. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;
/** An object of JSON values: session data, and what is kept about a client. */
export type JsonObject = { [key: string]: JsonValue };

/** Deeper than any session needs to be, and far from the end of the stack. */
const MAX_DEPTH = 100;

/** Objects that JSON would silently turn into `{}`, or into something that cannot be read back. */
const REFUSED = [Map, Set, WeakMap, WeakSet, WeakRef, Promise, RegExp, Error, ArrayBuffer] as const;

/**
 * The JSON form of `value`, as a copy: Dates and entities become what their `toJSON()` or own properties say,
 * properties that are `undefined` are left out. `root` names the value in errors.
 *
 * @throws SessionDataError naming the path of the first value that JSON cannot hold
 */
export function toJsonObject(value: unknown, root = 'data'): JsonObject {
  const json = convert(value, root, []);
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new SessionDataError(`Session data must be an object, but \`${root}\` is ${kindOf(value)}`);
  }
  return json;
}

function convert(value: unknown, path: string, ancestors: readonly object[]): JsonValue | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || value === undefined)
    return value;
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value;
    throw refuse(path, String(value));
  }
  if (typeof value !== 'object') throw refuse(path, kindOf(value));
  if (ancestors.includes(value)) throw refuse(path, 'a cycle');
  if (ancestors.length >= MAX_DEPTH) throw refuse(path, `nested more than ${MAX_DEPTH} levels deep`);
  if (value instanceof Date && Number.isNaN(value.getTime())) throw refuse(path, 'an invalid Date');
  const refused = REFUSED.find((type) => value instanceof type);
  if (refused !== undefined) throw refuse(path, kindOf(value));
  const within = [...ancestors, value];
  if ('toJSON' in value && typeof value.toJSON === 'function') return convert(value.toJSON(), path, within);
  if (ArrayBuffer.isView(value)) throw refuse(path, kindOf(value));
  if (types.isBoxedPrimitive(value)) return convert(value.valueOf(), path, within);
  if (Array.isArray(value)) {
    return Array.from(value, (item, index) => convert(item, `${path}[${index}]`, within) ?? null);
  }
  return convertObject(value, path, within);
}

function convertObject(value: object, path: string, within: readonly object[]): JsonObject {
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlainOrEntity =
    prototype === null ||
    prototype === Object.prototype ||
    (typeof prototype === 'object' && Object.hasOwn(prototype, 'constructor'));
  if (!isPlainOrEntity) throw refuse(`${path}.__proto__`, 'a changed prototype');
  const result: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    const itemPath = /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
    if (key === '__proto__') throw refuse(itemPath, 'a key that would change a prototype');
    const json = convert(item, itemPath, within);
    if (json !== undefined) result[key] = json;
  }
  return result;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object') return `a ${typeof value}`;
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== 'Object' ? `a ${name}` : 'an object';
}

function refuse(path: string, what: string): SessionDataError {
  const shown = path.length > 200 ? `${path.slice(0, 197)}...` : path;
  return new SessionDataError(
    `Session data must be JSON, but \`${shown}\` is ${what}. Nothing was saved: store a JSON form of it, or remove it`,
  );
}
