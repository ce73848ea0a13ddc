import { posix } from 'node:path';

/**
 * Where a link of a page leads on the site, when it leads out of the pages: to a source, a spec, the licence. On the
 * forge such a link is relative; on the site it is an address in the repository.
 *
 * @param target a link as a page of docs/ has it, such as `../src/index.ts#L3`
 * @param isFolder whether a path below the root of the repository is a folder
 * @returns the link itself when it stays within the pages, and null when it leads out and no repository is known
 */
export function siteLink(
  target: string,
  repository: string | undefined,
  isFolder: (path: string) => boolean,
): string | null {
  if (!target.startsWith('../')) return target;
  if (repository === undefined) return null;
  const [file = '', anchor] = target.split('#', 2);
  const path = posix.join('docs', file).replace(/\/$/, '');
  const kind = path === '.' || isFolder(path) ? 'tree' : 'blob';
  return `${repository}/${kind}/HEAD/${path === '.' ? '' : path}${anchor === undefined ? '' : `#${anchor}`}`;
}
