import { redisScript } from './redis-script.js';

/** The active rows of a user: id, the field u and the field r, one after the other, in no order. */
export const LIST = redisScript(
  'list',
  `
local user, now = ARGV[1], ARGV[2]
local rows = {}
for _, id in ipairs(redis.call('ZRANGE', user_key(user), 0, -1)) do
  local found = redis.call('HMGET', row_key(id), 'u', 'c', 'r')
  if not found[1] then redis.call('ZREM', user_key(user), id)
  elseif not found[2] then
    local row = unpack_use(found[1])
    if row.user == user and is_active(row, now) then
      rows[#rows + 1] = id
      rows[#rows + 1] = found[1]
      rows[#rows + 1] = found[3]
    end
  end
end
return rows
`,
);
