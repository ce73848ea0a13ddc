import type { ClientRequest } from '../platform/platform-request.js';

/** Warns once when browsers may drop the Secure cookie, or the app does not trust the proxy in front of it. */
export class InsecureCookieWarning {
  #hasWarned = false;

  /** The warning for the first request that deserves it; `null` for all others. */
  about(request: ClientRequest): string | null {
    if (this.#hasWarned || request.protocol !== 'http') return null;
    const { headers } = request;
    if (LOCAL.test(String(headers['host'] ?? ''))) return null;
    const isProxied = PROXY_HEADERS.some((name) => headers[name] !== undefined);
    const isPlainPage = /^http:\/\//i.test(String(headers['origin'] ?? ''));
    if (!isProxied && !isPlainPage) return null;
    this.#hasWarned = true;
    return saysHttps(headers) && !isPlainPage ? UNTRUSTED : PLAIN;
  }
}

/** Headers that only a proxy adds. */
const PROXY_HEADERS = ['x-forwarded-proto', 'x-forwarded-for', 'x-forwarded-host', 'forwarded', 'via'];

/** Local hosts: most browsers keep a Secure cookie there without https, and nobody serves an app to others from there. */
const LOCAL = /^(?:.+\.)?localhost(?::\d+)?$|^127\.\d+\.\d+\.\d+(?::\d+)?$|^\[::1\](?::\d+)?$/i;

const ONCE = 'This is said once.';

const UNTRUSTED =
  'A Secure cookie was set on a request that arrived over plain http. The proxy in front says that its client used ' +
  'https, but the app does not trust it, so the addresses of clients in `meta` and in events are those of the proxy. ' +
  "Say which proxies to trust: app.set('trust proxy', ...) on Express, new FastifyAdapter({ trustProxy: ... }) on " +
  `Fastify. ${ONCE}`;

const PLAIN =
  'A Secure cookie was set on a request that its client sent over plain http, as far as the app is told: browsers do ' +
  'not keep it, so everybody seems signed out at once. Serve the app over https. If a proxy does, let it say so ' +
  '(X-Forwarded-Proto), and trust it. For development on another host than localhost: `cookie: { secure: false }`. ' +
  ONCE;

function saysHttps(headers: ClientRequest['headers']): boolean {
  const proto = String(headers['x-forwarded-proto'] ?? '');
  return /^\s*https\s*(?:,|$)/i.test(proto) || /\bproto="?https\b/i.test(String(headers['forwarded'] ?? ''));
}
