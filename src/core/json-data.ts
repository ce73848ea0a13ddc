import { types } from 'node:util';
import { describeKind } from './describe-value.js';
import { type DataFault, SessionDataError } from './session-errors.js';

/*
 * Session data as JSON: values of the app are checked and copied into it, and compared in it.
 */

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
  const json = new Conversion(root).convert(value);
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new SessionDataError(`Session data must be an object, but \`${root}\` is ${describeKind(value)}`, {
      path: root,
      fault: faultOf(value),
    });
  }
  return json;
}

/**
 * Who can have made `value` where it does not belong: a client, if a JSON body or a form can hold it, or can lack it
 * (`undefined`). JSON has no NaN, but Infinity: it reads `1e400` so.
 */
export function faultOf(value: unknown): DataFault {
  if (typeof value === 'number') return Number.isNaN(value) ? 'code' : 'input';
  if (typeof value !== 'object' || value === null)
    return typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint'
      ? 'code'
      : 'input';
  return isPlain(value) ? 'input' : 'code';
}

/** Whether a parser of JSON or of a form makes such objects. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Array.isArray(value);
}

/** A copy of what is JSON already. */
export function cloneJson<T extends JsonValue>(value: T): T;
export function cloneJson(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(cloneJson);
  const copy: JsonObject = {};
  for (const key of Object.keys(value)) {
    if (key !== '__proto__') copy[key] = cloneJson(value[key] as JsonValue);
  }
  return copy;
}

/**
 * Whether `value` is what `json` is, key by key in the same order, of plain objects and arrays alone. `false` says
 * nothing: a Date may have the same JSON form.
 */
export function isSameJson(value: unknown, json: JsonValue | undefined): boolean {
  if (typeof value !== 'object' || value === null) return value === json;
  if (typeof json !== 'object' || json === null) return false;
  if (Array.isArray(json)) {
    if (!Array.isArray(value) || value.length !== json.length || 'toJSON' in value) return false;
    for (let i = 0; i < json.length; i++) if (!isSameJson(value[i], json[i])) return false;
    return true;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  const keys = Object.keys(value);
  const expected = Object.keys(json);
  if (keys.length !== expected.length) return false;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    if (key !== expected[i] || !isSameJson((value as JsonObject)[key], json[key])) return false;
  }
  return true;
}

/** One conversion. It knows the path to the value at hand, for errors, and the objects around it, to find cycles. */
class Conversion {
  readonly #root: string;
  readonly #ancestors: object[] = [];
  readonly #path: (string | number)[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  convert(value: unknown): JsonValue | undefined {
    if (value === null || typeof value === 'string' || typeof value === 'boolean' || value === undefined)
      return value;
    if (typeof value === 'number') {
      if (Number.isFinite(value)) return value;
      throw this.#refuse(String(value), faultOf(value));
    }
    if (typeof value !== 'object') throw this.#refuse(describeKind(value));
    if (this.#ancestors.includes(value)) throw this.#refuse('a cycle');
    if (this.#ancestors.length >= MAX_DEPTH)
      throw this.#refuse(`nested more than ${MAX_DEPTH} levels deep`, 'input');
    this.#ancestors.push(value);
    const json = this.#convertObject(value);
    this.#ancestors.pop();
    return json;
  }

  #convertObject(value: object): JsonValue | undefined {
    const isUsual = Object.getPrototypeOf(value) === Object.prototype;
    if (!isUsual) this.#check(value);
    if ('toJSON' in value && typeof value.toJSON === 'function') return this.convert(value.toJSON());
    if (isUsual) return this.#convertEntries(value);
    if (ArrayBuffer.isView(value)) throw this.#refuse(describeKind(value));
    if (types.isBoxedPrimitive(value)) return this.convert(value.valueOf());
    if (Array.isArray(value)) return Array.from(value, (item, index) => this.#convertAt(index, item) ?? null);
    if (isEntity(value)) return this.#convertEntries(value);
    this.#path.push('__proto__');
    // `Object.assign` and `data[key] = value` make a prototype of what a client sends as `__proto__`.
    throw this.#refuse('a changed prototype', faultOf(Object.getPrototypeOf(value)));
  }

  #convertEntries(value: object): JsonObject {
    const result: JsonObject = {};
    for (const key of Object.keys(value)) {
      const json = this.#convertAt(key, (value as Record<string, unknown>)[key]);
      if (json !== undefined) result[key] = json;
    }
    return result;
  }

  #convertAt(key: string | number, value: unknown): JsonValue | undefined {
    this.#path.push(key);
    if (key === '__proto__') throw this.#refuse('a key that would change a prototype', 'input');
    const json = this.convert(value);
    this.#path.pop();
    return json;
  }

  #check(value: object): void {
    if (value instanceof Date && Number.isNaN(value.getTime())) throw this.#refuse('an invalid Date');
    if (REFUSED.some((type) => value instanceof type)) throw this.#refuse(describeKind(value));
  }

  #refuse(what: string, fault: DataFault = 'code'): SessionDataError {
    const path = this.#root + this.#path.map(step).join('');
    const shown = path.length > 200 ? `${path.slice(0, 197)}...` : path;
    return new SessionDataError(
      `Session data must be JSON, but \`${shown}\` is ${what}. Nothing was saved: store a JSON form of it, or remove it`,
      { path: shown, fault },
    );
  }
}

/** Whether the object is of a class of the app's, or has no prototype. */
function isEntity(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return true;
  return typeof prototype === 'object' && typeof ownConstructor(prototype) === 'function';
}

function ownConstructor(prototype: object): unknown {
  return Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
}

/** One step of a path: `.cart`, `[3]`, `["two words"]`. */
function step(key: string | number): string {
  if (typeof key === 'number') return `[${key}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
