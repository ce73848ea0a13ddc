import { faultOf } from '../../core/json-data.js';
import { SessionDataError } from '../../core/session-errors.js';
import type { AuthenticateOptions } from '../session.interface.js';

const KNOWN: readonly string[] = [
  'data',
  'remember',
  'notAfter',
  'meta',
  'transport',
] satisfies (keyof AuthenticateOptions)[];

/**
 * @throws SessionDataError for an unknown option, or one of the wrong type: a form's `remember: 'on'` must not pass for
 * a boolean, nor a misspelt one for the default
 */
export function checkAuthenticateOptions(options: AuthenticateOptions<object>, acceptsBearer: boolean): void {
  if (typeof options !== 'object' || options === null)
    throw new SessionDataError(
      `Options of authenticate: expected an object, got ${options === null ? 'null' : `a ${typeof options}`}`,
    );
  const { remember, notAfter, transport } = options;
  const unknown = Object.keys(options).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined)
    throw new SessionDataError(
      `Unknown option of authenticate: expected one of ${KNOWN.join(', ')}, got '${unknown}'`,
    );
  if (remember !== undefined && typeof remember !== 'boolean')
    throw refuse('remember', 'true or false', remember);
  if (notAfter !== undefined && !(notAfter instanceof Date)) throw refuse('notAfter', 'a Date', notAfter);
  if (transport !== undefined && transport !== 'cookie' && transport !== 'bearer')
    throw refuse('transport', "'cookie' or 'bearer'", transport);
  if (transport === 'bearer' && !acceptsBearer)
    throw new SessionDataError(
      "`transport: 'bearer'`: expected the option `transport: ['cookie', 'bearer']` of SessionModule, got none. The " +
        'token would not be accepted',
    );
}

/** What an app passes on from a body or a form may be the client's fault. */
function refuse(name: keyof AuthenticateOptions, wanted: string, value: unknown): SessionDataError {
  const message = `\`${name}\`: expected ${wanted}, got ${value === null ? 'null' : `a ${typeof value}`}`;
  return new SessionDataError(message, { path: name, fault: faultOf(value) });
}
