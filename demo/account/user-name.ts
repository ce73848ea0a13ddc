/** Longest name, in characters. */
export const MAX_NAME_LENGTH = 40;

/** The name that somebody signs in with, or `null` when it cannot be one. */
export function userName(given: unknown): string | null {
  if (typeof given !== 'string') return null;
  const name = given
    .normalize()
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim();
  return name !== '' && name.length <= MAX_NAME_LENGTH ? name : null;
}
