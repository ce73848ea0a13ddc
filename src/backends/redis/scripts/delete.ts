import { redisScript } from './redis-script.js';

/*
 * Ends rows of one bucket. What has ended is given as id and the field u, one after the other. A row that a sign-in in
 * another bucket has claimed is gone for good then, and no longer anybody's to tell of.
 */

const END = `
local ended = {}
local function finish(id, found)
  local row = unpack_use(found[1])
  remove(id, row_key(id), row.user)
  if not found[2] then
    ended[#ended + 1] = id
    ended[#ended + 1] = found[1]
  end
end
`;

/** Those of some ids, of one user or of anybody. Gives what has ended, and ids with the pointers that lead to their rows. */
export const DELETE_IDS = redisScript(
  'delete-ids',
  `${END}
local user = ARGV[1]
local elsewhere = {}
for index = 2, #ARGV do
  local id = ARGV[index]
  local found = redis.call('HMGET', row_key(id), 'u', 'c', 'p')
  if found[3] then
    elsewhere[#elsewhere + 1] = id
    elsewhere[#elsewhere + 1] = found[3]
  elseif found[1] and (user == '' or unpack_use(found[1]).user == user) then
    finish(id, found)
  end
end
return { ended, elsewhere }
`,
);

/** All of a user, but for one. */
export const DELETE_OF_USER = redisScript(
  'delete-of-user',
  `${END}
local user, except = ARGV[1], ARGV[2]
for _, id in ipairs(redis.call('ZRANGE', user_key(user), 0, -1)) do
  if id ~= except then
    local found = redis.call('HMGET', row_key(id), 'u', 'c')
    if found[1] and unpack_use(found[1]).user == user then finish(id, found)
    else redis.call('ZREM', user_key(user), id) end
  end
end
return { ended, {} }
`,
);

/** Those of some ids that are not active; how many. */
export const PRUNE = redisScript(
  'prune',
  `
local now = ARGV[1]
local count = 0
for index = 2, #ARGV do
  local id = ARGV[index]
  local key = row_key(id)
  local found = redis.call('HGET', key, 'u')
  if not found then redis.call('ZREM', base .. 'i', id)
  else
    local row = unpack_use(found)
    if not is_active(row, now) then
      remove(id, key, row.user)
      count = count + 1
    end
  end
end
return count
`,
);
