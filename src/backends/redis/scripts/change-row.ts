import { timelyScript } from './redis-script.js';

/*
 * Changes of one row that is there. Each gives 1 or 0, whether it hit, or the pointer to the bucket that has the row, or that it
 * is claimed, so that nobody can say yet. A hit
 * mends the indexes, so that "log out everywhere" finds every session that is used.
 */

const FIND_ACTIVE = `
local late = untimely()
if late then return late end
local id, now = ARGV[1], ARGV[2]
local key = row_key(id)
local found = redis.call('HMGET', key, 'u', 'c', 'p')
if not found[1] then return found[3] or 0 end
if found[2] then return 'claimed' end
local row = unpack_use(found[1])
if not is_active(row, now) then return 0 end
`;

/** Stores a payload, if the row is of the version that is expected. One that is stored already is sent again, and hits. */
export const SAVE = timelyScript(
  'save',
  `${FIND_ACTIVE}
local expected, version, last, expires, payload, key_id = unpack(ARGV, 3, 8)
if row.version == version then return 1 end
if row.version ~= expected then return 0 end
local rest = redis.call('HGET', key, 'r') or ''
local head = string.match(rest, '^[^\\n]*\\n[^\\n]*\\n') or error('NOTOURS')
use_at(row, last, expires)
row.version = version
redis.call('HSET', key, 'u', pack_use(row), 'r', head .. payload)
redis.call('HDEL', key, 'e')
forget_after(key, row.expires, row.over)
redis.call('ZADD', base .. 'k', 'GT', row.over, key_id)
outlive(base .. 'k', row.over)
enlist(id, row)
return 1
`,
  true,
);

/** Records use. */
export const TOUCH = timelyScript(
  'touch',
  `${FIND_ACTIVE}
local last, expires, unless_after = unpack(ARGV, 3, 5)
if unless_after ~= '' and tonumber(row.last) > tonumber(unless_after) then return 0 end
use_at(row, last, expires)
redis.call('HSET', key, 'u', pack_use(row))
forget_after(key, row.expires, row.over)
enlist(id, row)
return 1
`,
);

/** Swaps the token side, if it is what is expected. One that is stored already is sent again, and hits. */
export const CHANGE_TOKEN = timelyScript(
  'change-token',
  `${FIND_ACTIVE}
local expected, next_start, next_line, next_mark, authenticated = unpack(ARGV, 3, 7)
local rest = redis.call('HGET', key, 'r') or ''
if string.sub(rest, 1, #expected) ~= expected then
  if string.sub(rest, 1, #next_start) == next_start then return 1 end
  return 0
end
local session_line, payload = string.match(rest, '^[^\\n]*\\n([^\\n]*\\n)(.*)$')
if not payload then error('NOTOURS') end
if authenticated ~= '' then session_line = authenticated .. string.match(session_line, '^%S+( .*)$') end
row.token = next_mark
redis.call('HSET', key, 'u', pack_use(row), 'r', next_line .. session_line .. payload)
enlist(id, row)
return 1
`,
  true,
);
