import { createHash } from 'node:crypto';
import type { RedisScript } from './scripts/redis-script.js';

/** Milliseconds that the mark of a bucket lasts. It is worth nothing a moment after it has been written. */
const MARK_AGE = 3_600_000;

const made = new Map<RedisScript, RedisScript>();

/**
 * The same script, which always writes something, behind all that it has seen, so that there is something to wait for.
 * `WAIT` and `WAITAOF` wait for the last write of their own connection: a call that finds a session ended would be acknowledged
 * at once, though another connection has ended it, and was refused because no replica had confirmed that.
 *
 * What it writes is the expiry of a key that holds nothing. A server that is full lets a script write all it wants once it has
 * begun with a command that takes no memory, so the key is made there too.
 *
 * @see https://redis.io/docs/latest/develop/programmability/eval-intro/ "Scripts with high memory usage during execution"
 */
export function markingScript(script: RedisScript): RedisScript {
  const known = made.get(script);
  if (known) return known;
  const source = `
local function run()
${script.source}
end
local reply = run()
local mark = string.sub(KEYS[1], 1, -2) .. 'w'
if redis.call('PEXPIRE', mark, ${MARK_AGE}) == 0 then redis.call('SET', mark, '', 'PX', ${MARK_AGE}) end
return reply
`;
  const marking = { ...script, source, sha: createHash('sha1').update(source).digest('hex') };
  made.set(script, marking);
  return marking;
}
