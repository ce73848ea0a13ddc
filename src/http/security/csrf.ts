import type { LoggerService } from '@nestjs/common';
import { expected, refuseUnknown } from '../../core/option-checks.js';
import { CrossSiteRequestException } from '../errors/exceptions.js';
import { type ClientRequest, type PlatformRequest, routeOf } from '../platform/platform-request.js';

/*
 * The option `csrf`: requests that a page of another site made a browser send are recognised and refused.
 */

/** What the protection against requests of other sites' pages makes an exception for. */
export interface CsrfOptions {
  /**
   * Origins whose pages may act for a user, beside the app's own: scheme and host, and a port that is not the scheme's,
   * without a path. An identity provider that answers with a form (`response_mode=form_post`) is one.
   *
   * @default []
   * @example
   * ```ts
   * const csrf: CsrfOptions = { origins: ['https://admin.example.com', 'http://localhost:4200'] };
   * export const sessions = SessionModule.forRoot({ key: process.env.SESSION_KEY, csrf });
   * ```
   */
  readonly origins?: readonly string[];
}

/** Methods that must not change anything, so that they need no check. @see RFC 9110, 9.2.1 */
const SAFE_METHODS: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Values of `Sec-Fetch-Site` with which a visit carries a Strict cookie. Empty: the browser does not say.
 *
 * @see RFC 6265bis, 5.2 and 5.8.3
 */
const SITES_WITH_STRICT: ReadonlySet<string> = new Set(['', 'same-origin', 'same-site', 'none']);

/** Ports that an origin leaves out, and a Host header may name. */
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': ':80', 'https:': ':443' };

/** Milliseconds between two log lines at least: whoever sends the requests must not fill the log. */
const LOG_INTERVAL = 60_000;

/** Characters at most that a log line shows of what the sender of the request has written. */
const MAX_LOGGED = 100;

/**
 * Recognises requests that a page of another site made a browser send. It decides as the protection of Nest 12 does, so
 * that an app may have both: by `Sec-Fetch-Site` where the browser sends it, otherwise by comparing `Origin` with the host.
 * A request with neither header does not come from a current browser, and is let through.
 *
 * @see OWASP ASVS 5.0, 3.5.1; W3C Fetch Metadata, 2.3; OWASP CSRF Prevention Cheat Sheet, "Fetch Metadata headers"
 */
export class CsrfCheck {
  readonly #origins: ReadonlySet<string>;
  /** When the last refusal was logged, in epoch milliseconds. */
  #loggedAt: number | null = null;

  /** @throws SessionOptionsError */
  constructor(options: CsrfOptions = {}) {
    if (typeof options !== 'object' || options === null)
      throw expected('csrf', 'an object { origins } or false', options);
    refuseUnknown('`csrf` option', options, ['origins']);
    const { origins = [] } = options;
    if (!Array.isArray(origins)) throw expected('csrf.origins', 'a list of origins', origins);
    this.#origins = new Set(origins.map(checkOrigin));
  }

  /** Whether the request must not change a session: it is of another site's page, and its method is not safe. */
  refusesChange(request: ClientRequest): boolean {
    return !SAFE_METHODS.has(request.method) && this.isCrossSite(request);
  }

  /**
   * Whether the request must not sign anybody in. One that a link or a redirect of another site causes, and that opens a page
   * here, may: identity providers and mails send visitors back that way, with a proof of who they are.
   */
  refusesSignIn(request: ClientRequest): boolean {
    const isVisit = SAFE_METHODS.has(request.method) && request.headers['sec-fetch-mode'] === 'navigate';
    return !isVisit && this.isCrossSite(request);
  }

  /**
   * Whether the browser withheld a Strict cookie: a link or a redirect of another site leads here. A page of a sibling
   * host is of the same site, whose links carry the cookie.
   */
  withholdsStrict({ method, headers }: ClientRequest): boolean {
    if (!SAFE_METHODS.has(method) || headers['sec-fetch-mode'] !== 'navigate') return false;
    return !SITES_WITH_STRICT.has(one(headers['sec-fetch-site']));
  }

  /**
   * The answer to a request that is refused, and once a minute at most a line in the log that says why, for a developer
   * whose page that is.
   *
   * @param now epoch milliseconds
   */
  refusal(
    request: PlatformRequest,
    now: number,
    logger: Pick<LoggerService, 'warn'>,
  ): CrossSiteRequestException {
    const since = this.#loggedAt === null ? LOG_INTERVAL : now - this.#loggedAt;
    if (since < 0 || since >= LOG_INTERVAL) {
      this.#loggedAt = now;
      logger.warn(
        `${printable(routeOf(request))}: 403, ${reasonOf(request)}. This is said once a minute at most`,
      );
    }
    return new CrossSiteRequestException(hidesOrigin(request) ? 'hidden-origin' : 'other-site');
  }

  /**
   * Whether a page of another site made the browser send the request, whatever its method. In GraphQL the method says
   * nothing of what a request does.
   */
  isCrossSite(request: ClientRequest): boolean {
    const { headers } = request;
    const site = one(headers['sec-fetch-site']);
    const origin = one(headers['origin']);
    if (site === '' && origin === '') return false;
    if (site === 'same-origin' || site === 'none') return false;
    if (this.#origins.has(origin)) return false;
    const normal = site === '' ? normalOrigin(origin) : null;
    return normal === null || !hostsOf(request).some((host) => isHostOf(host, normal));
  }
}

/**
 * Whether a page hides its origin from a browser or a site that says nothing else: a form over plain http under the
 * Referrer-Policy `no-referrer` is such a one, also of the app itself.
 */
function hidesOrigin({ headers }: ClientRequest): boolean {
  return one(headers['sec-fetch-site']) === '' && one(headers['origin']) === 'null';
}

/** The value of a header. Repeated ones are joined, and the result equals no value that is accepted. */
function one(value: string | string[] | undefined): string {
  return Array.isArray(value) ? value.join(', ') : (value ?? '');
}

/** Scheme and host as browsers write them; `null` for an opaque origin (`null`) and for what is no origin. */
function normalOrigin(origin: string): string | null {
  if (!URL.canParse(origin)) return null;
  const { protocol, host } = new URL(origin);
  return host === '' ? null : `${protocol}//${host}`;
}

/** What the browser addressed: the Host header, and what the platform makes of a proxy that it trusts. */
function hostsOf({ headers, host }: ClientRequest): string[] {
  const given = [headers[':authority'], headers['host'], host];
  return given.flatMap((name) => (typeof name === 'string' ? name.toLowerCase() : []));
}

function isHostOf(host: string, origin: string): boolean {
  const [scheme = '', authority] = origin.split('//');
  return authority === host || `${authority}${DEFAULT_PORTS[scheme] ?? ''}` === host;
}

function checkOrigin(origin: unknown): string {
  const isForm = typeof origin === 'string' && /^[a-z][a-z0-9+.-]*:\/\/[^/?#\\@*\s]+$/i.test(origin);
  const normal = isForm ? normalOrigin(origin) : null;
  if (normal === null) {
    throw expected('csrf.origins', "origins such as 'https://admin.example.com', without a path", origin);
  }
  return normal;
}

function reasonOf(request: PlatformRequest): string {
  if (hidesOrigin(request)) {
    return (
      'because the page that sent the request hides its origin (Origin: null). If the page is yours, its ' +
      'Referrer-Policy is `no-referrer`, the default of helmet: set another, helmet({ referrerPolicy: { policy: ' +
      "'same-origin' } }), or serve it over https"
    );
  }
  const said = ['Origin', 'Sec-Fetch-Site', 'Host'].flatMap((name) => {
    const value = request.headers[name.toLowerCase()];
    return value === undefined ? [] : [`${name}: ${printable(String(value))}`];
  });
  const page = `because the page that sent the request is of another origin (${said.join(', ')})`;
  if (request.headers['origin'] !== 'null' && request.headers['sec-fetch-site'] === undefined)
    return (
      `${page}. If it is the app's own, the proxy in front changes the Host header: have it pass on the one that it gets. ` +
      'If it is of another site of yours, list its origin in the `csrf` option of SessionModule: csrf: { origins: [...] }'
    );
  return request.headers['origin'] === 'null'
    ? `${page}. If it is yours, give it a Referrer-Policy that shows its origin, and list that in \`csrf.origins\``
    : `${page}. If it is yours, list its origin in the \`csrf\` option of SessionModule: csrf: { origins: [...] }`;
}

/** For one line of the log: cut at `MAX_LOGGED` characters, with `?` for each that is not printable ASCII. */
function printable(text: string): string {
  const isLong = text.length > MAX_LOGGED;
  return (isLong ? `${text.slice(0, MAX_LOGGED)}...` : text).replace(/[^\x20-\x7e]/g, '?');
}
