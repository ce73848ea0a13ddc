import { serialize } from 'cookie';
import { expected, oneOf, refuseUnknown } from '../../core/option-checks.js';
import { SessionOptionsError } from '../../core/session-errors.js';
import type { SessionRow } from '../../core/session-row.js';
import type { SessionToken } from '../../core/session-token.js';

/**
 * The attributes of the session cookie. It is always HttpOnly. The prefix of its name follows from the others:
 * `__Host-sid` as it is here; `__Secure-sid` with a `domain` or another `path`; `sid` with `secure: false`.
 *
 * @see RFC 6265bis, 4.1.3 (`__Host-`, `__Secure-`); OWASP ASVS 5.0, 3.3.1 to 3.3.4
 * @example
 * ```ts
 * const cookie: CookieOptions = { name: 'shop', domain: 'example.com' }; // `__Secure-shop`, for shop.example.com too
 * export const sessions = SessionModule.forRoot({ key: process.env.SESSION_KEY, cookie });
 * ```
 */
export interface CookieOptions {
  /** The name without prefix: at most 64 characters that a cookie's name may have. @default 'sid' */
  readonly name?: string;
  /** The paths below which the browser sends it: at most 1024 characters. @default '/' */
  readonly path?: string;
  /** A host name: hosts below this domain get the cookie too. @default the host alone */
  readonly domain?: string;
  /**
   * Which requests from other sites carry it: `'lax'`, visits alone; `'strict'`, none; `'none'`, all, which needs `secure`.
   *
   * @default 'lax'
   */
  readonly sameSite?: 'lax' | 'strict' | 'none';
  /** Whether it goes over https alone (and, in most browsers, to localhost). @default true */
  readonly secure?: boolean;
  /** Whether each site that embeds the app gets a cookie of its own; needs `secure`. @default false */
  readonly partitioned?: boolean;
  /**
   * Whether the cookie survives a restart of the browser. It then lives until the absolute expiry of its session; the
   * server enforces the idle one. `authenticate(id, { remember })` overrides this.
   *
   * @default true
   * @see NIST SP 800-63B-4, 5.1, which advises `false` for secrets such as this one
   */
  readonly persistent?: boolean;
}

/** Browsers ignore longer attributes; with it the whole cookie stays below 4096 bytes. @see RFC 6265bis, 5.6 and 6.1 */
const MAX_PATH = 1024;

const NONE: readonly string[] = [];

/**
 * The text without leading and trailing spaces and tabs. Other white space belongs to a name: for a browser, a name with a
 * Unicode space in front of `__Host-sid` is another name, which a sibling host may set. Trimmed, it would pass for ours.
 */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function unquoted(text: string): string {
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

/**
 * Reads and writes the session cookie.
 *
 * @see RFC 6265bis, 4.1.3 (`__Host-`, `__Secure-`); OWASP ASVS 5.0, 3.3.1 to 3.3.4
 */
export class SessionCookie {
  readonly name: string;
  /** Default persistence. */
  readonly persistent: boolean;
  readonly attributes: Required<Pick<CookieOptions, 'path' | 'sameSite' | 'secure' | 'partitioned'>> & {
    readonly domain: string | undefined;
    readonly httpOnly: true;
  };

  /** @throws SessionOptionsError */
  constructor(options: CookieOptions = {}) {
    const { name, path, domain, sameSite, secure, partitioned, persistent } = checkCookie(options);
    this.name = prefixFor({ path, domain, secure }) + name;
    this.persistent = persistent;
    this.attributes = { path, domain, sameSite, secure, partitioned, httpOnly: true };
  }

  /** Values of our cookie in a Cookie header, in order. Never throws, whatever the header holds. */
  read(header: string | string[] | undefined): readonly string[] {
    if (Array.isArray(header)) return this.read(header.join('; '));
    if (header === undefined || !header.includes(this.name)) return NONE;
    const values: string[] = [];
    for (const pair of header.split(';')) {
      const at = pair.indexOf('=');
      if (at < 0 || trimmed(pair.slice(0, at)) !== this.name) continue;
      values.push(unquoted(trimmed(pair.slice(at + 1))));
    }
    return values;
  }

  /** Set-Cookie for a token. It lives until the absolute expiry: the server enforces the idle one. */
  issue(token: SessionToken, row: Pick<SessionRow, 'persistent' | 'absoluteExpiresAt'>, now: number): string {
    const maxAge = Math.max(1, Math.ceil((row.absoluteExpiresAt - now) / 1000));
    return serialize(
      this.name,
      token.reveal(),
      row.persistent ? { ...this.attributes, maxAge } : this.attributes,
    );
  }

  /** Set-Cookie that removes it. */
  remove(): string {
    return serialize(this.name, '', { ...this.attributes, maxAge: 0, expires: new Date(0) });
  }
}

function prefixFor({ secure, domain, path }: Pick<CookieOptions, 'secure' | 'domain' | 'path'>): string {
  if (!secure) return '';
  return domain === undefined && path === '/' ? '__Host-' : '__Secure-';
}

/** Labels of letters, digits and inner hyphens: what the `cookie` package serialises, and browsers take. */
const HOST_NAME = /^\.?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;

function checkCookie(options: CookieOptions) {
  if (typeof options !== 'object' || options === null) throw expected('cookie', 'an object', options);
  refuseUnknown('`cookie` option', options, [
    'name',
    'path',
    'domain',
    'sameSite',
    'secure',
    'partitioned',
    'persistent',
  ]);
  const {
    name = 'sid',
    path = '/',
    domain,
    sameSite = 'lax',
    secure = true,
    partitioned = false,
    persistent = true,
  } = options;
  for (const [option, flag] of Object.entries({ secure, partitioned, persistent })) {
    if (typeof flag !== 'boolean') throw expected(`cookie.${option}`, 'true or false', flag);
  }
  if (typeof path !== 'string' || !/^\/[ -:=-~]*$/.test(path))
    throw expected('cookie.path', "a path such as '/'", path);
  if (path.length > MAX_PATH) throw expected('cookie.path', `a path of at most ${MAX_PATH} characters`, path);
  if (domain !== undefined && (typeof domain !== 'string' || !HOST_NAME.test(domain)))
    throw expected('cookie.domain', 'a host name', domain);
  oneOf('cookie.sameSite', sameSite, ['lax', 'strict', 'none']);
  if (sameSite === 'none' && !secure) {
    throw new SessionOptionsError(
      "`cookie.sameSite`: expected 'none' only with `secure: true` (browsers refuse it otherwise), got `secure: false`",
    );
  }
  if (partitioned && !secure) {
    throw new SessionOptionsError(
      '`cookie.partitioned`: expected `secure: true` beside it (browsers refuse it otherwise), got `secure: false`',
    );
  }
  return {
    name: checkName(name, { secure, domain, path }),
    path,
    domain,
    sameSite,
    secure,
    partitioned,
    persistent,
  };
}

function checkName(name: string, attributes: Pick<CookieOptions, 'secure' | 'domain' | 'path'>): string {
  if (typeof name !== 'string' || !/^[\w!#$%&'*+.^`|~-]{1,64}$/.test(name)) {
    throw expected('cookie.name', 'a cookie name of at most 64 characters', name);
  }
  const given = /^__(Host|Secure)-/i.exec(name)?.[0];
  if (given === undefined) return name;
  if (given === prefixFor(attributes)) return name.slice(given.length);
  const needs = /host/i.test(given)
    ? "`secure: true`, `path: '/'` and no `domain`"
    : '`secure: true`, and a `domain` or another `path`';
  throw new SessionOptionsError(
    `\`cookie.name\`: expected ${needs} with the prefix ${given}, got other attributes. Leave the prefix out: it follows them`,
  );
}
