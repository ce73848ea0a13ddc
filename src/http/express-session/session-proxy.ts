import type { JsonObject } from '../../core/json-data.js';
import { SessionDataError } from '../../core/session-errors.js';
import { toHttpException } from '../errors/exceptions.js';

/** Members of our `Session` that somebody who imported the wrong one would call. */
const OUR_METHODS = new Set([
  'get',
  'set',
  'has',
  'remove',
  'clear',
  'authenticate',
  'reauthenticate',
  'rotate',
  'logout',
  'logoutOthers',
  'logoutAll',
  'list',
  'revoke',
  'update',
  'take',
  'takeOnce',
  'flashes',
]);

/** What a bag shows. */
export interface BagSource {
  /** The data that it reads and changes. */
  readonly data: JsonObject;
  /** Members that are not data: their names cannot be written to. */
  readonly members: object;
  /** Told before a key is read. */
  noteRead(key: string | symbol): void;
  /** Told before a key is written. */
  noteWrite(key: string): void;
}

/**
 * What `req.session` and Nest's own `@Session()` give: the session's data as properties, beside the members that
 * express-session has. Reaching for a method of our `Session` through it is a wrong import, and says so.
 */
export function sessionBag(source: BagSource): object {
  return new Proxy<object>(
    {},
    {
      get(_target, key) {
        if (Object.hasOwn(source.members, key)) return Reflect.get(source.members, key) as unknown;
        if (typeof key === 'string' && OUR_METHODS.has(key) && !Object.hasOwn(source.data, key))
          throw wrongImport(key);
        source.noteRead(key);
        return Reflect.get(source.data, key) as unknown;
      },
      set(_target, key, value) {
        if (key === '__proto__') throw toHttpException(prototypeKey());
        if (Object.hasOwn(source.members, key)) throw toHttpException(memberKey(String(key)));
        source.noteWrite(String(key));
        return Reflect.set(source.data, key, value);
      },
      has: (_target, key) => Object.hasOwn(source.members, key) || Reflect.has(source.data, key),
      deleteProperty: (_target, key) => Reflect.deleteProperty(source.data, key),
      ownKeys: () => Reflect.ownKeys(source.data),
      defineProperty: (_target, key, descriptor) =>
        Reflect.defineProperty(source.data, key, { ...descriptor, configurable: true }),
      getOwnPropertyDescriptor(_target, key) {
        source.noteRead(key);
        return Reflect.getOwnPropertyDescriptor(source.data, key);
      },
    },
  );
}

/** Of the name of a member, such as `save`: where keys come from clients, so does this one. */
function memberKey(key: string): SessionDataError {
  return new SessionDataError(
    `\`req.session.${key}\` is a member of the session, and cannot be a key of its data. Nothing was changed`,
    { path: `data.${key}`, fault: 'input' },
  );
}

/** Of a key that would change a prototype: where keys come from clients, so does this one. */
export function prototypeKey(): SessionDataError {
  return new SessionDataError('`__proto__` cannot be a key of session data. Nothing was changed', {
    path: 'data.__proto__',
    fault: 'input',
  });
}

function wrongImport(method: string): TypeError {
  return new TypeError(
    `\`session.${method}\` was read from req.session, which has the data and express-session's members. ` +
      "Import the decorator and type from nest-sessions: import { Session } from 'nest-sessions', not from '@nestjs/common'",
  );
}
