/*
 * What errors say of a value that is not what it has to be: "expected …, got …". Nothing here prints what an object
 * holds, or a text that is long enough to be a key.
 */

/** Characters of a text that an error shows at most: fewer than any form of a key has. */
const LONGEST_SHOWN = 40;

/** A value by its type alone, without an article: `null`, `object`, `string`. */
export function typeName(value: unknown): string {
  return value === null ? 'null' : typeof value;
}

/** A value by its kind, never by what it holds: `null`, `a string`, `an array`, `a Map`, `an object`. */
export function describeKind(value: unknown): string {
  if (value === null || value === undefined) return typeName(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object') return `a ${typeName(value)}`;
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== '' && name !== 'Object' ? `a ${name}` : 'an object';
}

/** A value as code would write it, when that is short (`'soon'`, `3`, `true`); otherwise its kind. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string')
    return value.length > LONGEST_SHOWN ? `a text of ${value.length} characters` : `'${value}'`;
  if (typeof value === 'function' || (typeof value === 'object' && value !== null))
    return describeKind(value);
  return String(value).slice(0, LONGEST_SHOWN);
}
