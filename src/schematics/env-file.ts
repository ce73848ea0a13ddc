/*
 * `.env` and `.gitignore`, as texts: what is there stays, and what is missing comes last.
 */

/**
 * `.env` with a session key. One that is there stays as it is, even if it is empty: only its owner knows what it is for.
 *
 * @param text what the file has; `null`: there is none
 * @param key the key for a file that has none
 */
export function withSessionKey(text: string | null, key: string): string {
  const hasKey = /^[\t ]*(export[\t ]+)?SESSION_KEY[\t ]*=/m.test(text ?? '');
  return hasKey && text !== null ? text : withLine(text, `SESSION_KEY=${key}`);
}

/**
 * `.gitignore` with these patterns.
 *
 * @param text what the file has; `null`: there is none
 */
export function withIgnored(text: string | null, patterns: readonly string[]): string {
  const lines = (text ?? '').split(/\r?\n/).map((line) => line.trim().replace(/^\//, ''));
  const missing = patterns.filter((pattern) => !lines.includes(pattern));
  return missing.reduce<string>((all, pattern) => withLine(all, pattern), text ?? '');
}

function withLine(text: string | null, line: string): string {
  const before = text ?? '';
  const end = before === '' || before.endsWith('\n') ? '' : '\n';
  return `${before}${end}${line}\n`;
}
