/** Longest memo, in characters. */
export const MAX_MEMO_LENGTH = 200;

/** What to keep of what a form has sent as a memo; `null`: nothing. */
export function memoFrom(given: unknown): string | null {
  const memo = typeof given === 'string' ? given.trim().slice(0, MAX_MEMO_LENGTH) : '';
  return memo === '' ? null : memo;
}
