import { expected, refuseUnknown } from '../../core/option-checks.js';
import type { ClientRequest } from '../session/client-meta.js';

/** Protection against requests that another site makes a browser send. */
export interface CsrfOptions {
  /** Origins beside the app's own whose pages may act for a user: `'https://admin.example.com'`. @default [] */
  readonly origins?: readonly string[];
}

/** Methods that must not change anything, so that they need no check. @see RFC 9110, 9.2.1 */
const SAFE_METHODS: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** From where a visit carries a Strict cookie, or, without a word, may carry it. @see RFC 6265bis, 5.2 and 5.8.3 */
const SITES_WITH_STRICT: ReadonlySet<string> = new Set(['', 'same-origin', 'same-site', 'none']);

/** Ports that an origin leaves out, and a Host header may name. */
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': ':80', 'https:': ':443' };

/**
 * Tells requests that a page of another site made a browser send. It decides as the protection of Nest 12 does, so
 * that an app may have both: `Sec-Fetch-Site` settles it where the browser sends it, else `Origin` is compared with
 * the host; a request with neither comes from no browser of today.
 *
 * @see OWASP ASVS 5.0, 3.5.1; W3C Fetch Metadata, 2.3; OWASP CSRF Prevention Cheat Sheet, "Fetch Metadata headers"
 */
export class CsrfCheck {
  readonly #origins: ReadonlySet<string>;

  /** @throws SessionOptionsError */
  constructor(options: CsrfOptions = {}) {
    if (typeof options !== 'object' || options === null)
      throw expected('csrf', 'an object { origins } or false', options);
    refuseUnknown('`csrf` option', options, ['origins']);
    const { origins = [] } = options;
    if (!Array.isArray(origins)) throw expected('csrf.origins', 'a list of origins', origins);
    this.#origins = new Set(origins.map(checkOrigin));
  }

  /** Whether the request must not change anything for a user. */
  refusesChange(request: ClientRequest): boolean {
    return !SAFE_METHODS.has(request.method) && this.#isCrossSite(request);
  }

  /**
   * Whether nobody may be signed in by the request. A link or a redirect of another site that opens a page here may:
   * that is how an identity provider or a mail hands a visitor over, and what it carries proves who they are.
   */
  refusesSignIn(request: ClientRequest): boolean {
    const isVisit = SAFE_METHODS.has(request.method) && request.headers['sec-fetch-mode'] === 'navigate';
    return !isVisit && this.#isCrossSite(request);
  }

  /**
   * Whether the browser withheld a Strict cookie: a link or a redirect of another site leads here. A page of a sibling
   * host is of the same site, whose links carry the cookie.
   */
  withholdsStrict({ method, headers }: ClientRequest): boolean {
    if (!SAFE_METHODS.has(method) || headers['sec-fetch-mode'] !== 'navigate') return false;
    return !SITES_WITH_STRICT.has(one(headers['sec-fetch-site']));
  }

  #isCrossSite(request: ClientRequest): boolean {
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
export function hidesOrigin({ headers }: ClientRequest): boolean {
  return one(headers['sec-fetch-site']) === '' && one(headers['origin']) === 'null';
}

/** The value of a header; repeated ones are joined, so that they are none that is accepted. */
function one(value: string | string[] | undefined): string {
  return Array.isArray(value) ? value.join(', ') : (value ?? '');
}

/** Scheme and host as browsers write them; `null` for opaque origins (`null`) and anything else that is none. */
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
