import type { ServerResponse } from 'node:http';

/** Adds a header to those of the same name that are there. */
export function appendHeader(response: ServerResponse, name: string, value: string): void {
  const present = response.getHeader(name);
  const values = present === undefined ? [] : Array.isArray(present) ? present : [String(present)];
  response.setHeader(name, [...values, value]);
}

/** What some caches obey rather than `Cache-Control`. @see RFC 9213, 2.2; what nginx, Fastly and Akamai document */
const FOR_ONE_CACHE = /^(?:.+-)?cdn-cache-control$|^(?:surrogate|edge)-control$|^x-accel-expires$/;

/** Keeps the response out of every cache, whatever was said of it before. */
export function forbidCaching(response: ServerResponse): void {
  for (const name of response.getHeaderNames()) if (FOR_ONE_CACHE.test(name)) response.removeHeader(name);
  response.setHeader('Cache-Control', 'no-store');
}

/** The headers on which a response depends that read a session. */
export const COOKIE_HEADER: readonly string[] = ['Cookie'];
export const BOTH_HEADERS: readonly string[] = ['Cookie', 'Authorization'];

/** Tells caches that the response depends on these headers, beside whatever else the app says. */
export function varyBy(response: ServerResponse, headers: readonly string[]): void {
  if (!response.hasHeader('Vary')) {
    response.setHeader('Vary', headers.join(', '));
    return;
  }
  const present = String(response.getHeader('Vary'));
  const names = present.split(',').map((name) => name.trim().toLowerCase());
  if (names.includes('*')) return;
  const missing = headers.filter((name) => !names.includes(name.toLowerCase()));
  if (missing.length > 0)
    response.setHeader('Vary', [...(present === '' ? [] : [present]), ...missing].join(', '));
}
