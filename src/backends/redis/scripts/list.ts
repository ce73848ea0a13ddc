import { redisScript } from './redis-script.js';

/** The active rows of a user: id, the field u and the field r, one after the other, in no order. What is not ours is left out. */
export const LIST = redisScript(
  'list',
  `
local user, now = ARGV[1], ARGV[2]
local rows = {}
for _, id in ipairs(redis.call('ZRANGE', user_key(user), 0, -1)) do
  local row, is_foreign = peek(id)
  if not row then
    if not is_foreign then redis.call('ZREM', user_key(user), id) end
  elseif not row.is_claimed and row.user == user and is_active(row, now) then
    rows[#rows + 1] = id
    rows[#rows + 1] = row.use
    rows[#rows + 1] = redis.call('HGET', row_key(id), 'r')
  end
end
return rows
`,
);
