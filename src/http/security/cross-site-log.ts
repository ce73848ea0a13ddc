import { hidesOrigin } from './csrf.js';
import { type PlatformRequest, routeOf } from '../platform/platform-request.js';

/** Milliseconds between two lines: whoever sends the requests must not fill the log. */
const INTERVAL = 60_000;

/** Longest part of a line that the sender of the request has written, in characters. */
const MAX_LENGTH = 100;

/** Says why requests were refused as those of another site, for a developer whose page that is: once a minute at most. */
export class CrossSiteLog {
  #lastAt: number | null = null;

  /** The line about a refusal at `now`, in epoch milliseconds; `null` when one has been said within the minute. */
  lineAbout(request: PlatformRequest, now: number): string | null {
    const since = this.#lastAt === null ? INTERVAL : now - this.#lastAt;
    if (since >= 0 && since < INTERVAL) return null;
    this.#lastAt = now;
    return `${printable(routeOf(request))}: 403, ${reasonOf(request)}. This is said once a minute at most`;
  }
}

function reasonOf(request: PlatformRequest): string {
  if (hidesOrigin(request)) {
    return (
      'because the page that sent the request hides its origin (Origin: null). If the page is yours, its ' +
      'Referrer-Policy is `no-referrer`, the default of helmet: set another, helmet({ referrerPolicy: { policy: ' +
      "'same-origin' } }), or serve it over https"
    );
  }
  const said = ['Origin', 'Sec-Fetch-Site'].flatMap((name) => {
    const value = request.headers[name.toLowerCase()];
    return value === undefined ? [] : [`${name}: ${printable(String(value))}`];
  });
  const page = `because the page that sent the request is not of this site (${said.join(', ')})`;
  return request.headers['origin'] === 'null'
    ? `${page}. If it is yours, give it a Referrer-Policy that shows its origin, and list that in \`csrf.origins\``
    : `${page}. If it is yours, list its origin in the \`csrf\` option of SessionModule: csrf: { origins: [...] }`;
}

/** Cut, and without what a terminal or another line could be made of. */
function printable(text: string): string {
  const isLong = text.length > MAX_LENGTH;
  return (isLong ? `${text.slice(0, MAX_LENGTH)}...` : text).replace(/[^\x20-\x7e]/g, '?');
}
