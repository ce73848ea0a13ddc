import { redisScript } from './redis-script.js';

/**
 * The active rows of a user: id, the field u and the field r, one after the other. What is not ours is left out. Without a limit
 * they come in no order; with one, the first of them by an instant, latest first, and of no other row is the field r read.
 */
export const LIST = redisScript(
  'list',
  `
local user, now, instant, limit = unpack(ARGV)
local found = {}
for _, id in ipairs(redis.call('ZRANGE', user_key(user), 0, -1)) do
  local row, is_foreign = peek(id)
  if not row then
    if not is_foreign then redis.call('ZREM', user_key(user), id) end
  elseif not row.is_claimed and row.user == user and is_active(row, now) then
    row.at = tonumber(row[instant])
    found[#found + 1] = row
  end
end
local most = #found
if limit ~= '' and tonumber(limit) < most then
  most = tonumber(limit)
  table.sort(found, function(one, other)
    if one.at ~= other.at then return one.at > other.at end
    return is_before(other.id, one.id)
  end)
end
local rows = {}
for _, row in ipairs(found) do
  if #rows >= 3 * most then break end
  local rest = redis.call('HGET', row_key(row.id), 'r')
  if rest then
    rows[#rows + 1] = row.id
    rows[#rows + 1] = row.use
    rows[#rows + 1] = rest
  end
end
return rows
`,
);
