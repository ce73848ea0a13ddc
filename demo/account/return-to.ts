/**
 * Where to go after sign-in: a path of this app, `/` when what was asked for is none. Anything else would let a link
 * to our sign-in page end on a site of somebody's choice.
 */
export function localPath(wanted: unknown): string {
  return typeof wanted === 'string' && /^\/(?![/\\])[!-~]*$/.test(wanted) ? wanted : '/';
}

/** The sign-in page, which leads to that path afterwards. */
export function signInPath(returnTo: string): string {
  return returnTo === '/' ? '/sign-in' : `/sign-in?${new URLSearchParams({ returnTo }).toString()}`;
}
