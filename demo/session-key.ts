import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

/**
 * The key in a file, which is made on the first start. That suits a demo, whose key lies beside its database: a real
 * app gets its key from the environment or a vault, as in `key: process.env.SESSION_KEY`.
 */
export function keyFrom(file: string): string {
  if (!existsSync(file)) makeKey(file);
  return readFileSync(file, 'utf8').trim();
}

/** Whole or not at all, and never over another: a key that got lost would sign everybody out. */
function makeKey(file: string): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(draft, file);
  } catch (error) {
    if (!existsSync(file)) throw error; // otherwise another process was faster, and its key is as good
  } finally {
    rmSync(draft);
  }
}
