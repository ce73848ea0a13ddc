import type { ServerResponse } from 'node:http';

/** Adds a header to those of the same name that are there. */
export function appendHeader(response: ServerResponse, name: string, value: string): void {
  const present = response.getHeader(name);
  const values = present === undefined ? [] : Array.isArray(present) ? present : [String(present)];
  response.setHeader(name, [...values, value]);
}

/** Tells caches that the response depends on the cookie, beside whatever else the app says. */
export function varyByCookie(response: ServerResponse): void {
  const present = String(response.getHeader('Vary') ?? '');
  const names = present.split(',').map((name) => name.trim().toLowerCase());
  if (names.includes('cookie') || names.includes('*')) return;
  response.setHeader('Vary', present === '' ? 'Cookie' : `${present}, Cookie`);
}
