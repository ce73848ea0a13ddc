import { redisScript } from './redis-script.js';

/*
 * Ends rows of one bucket. What has ended is given as id and the field u, one after the other. A row that a sign-in in
 * another bucket has claimed is gone for good then, and no longer anybody's to tell of.
 */

const END = `
local ended = {}
local function finish(row)
  remove(row.id, row_key(row.id), row.user)
  if not row.is_claimed then
    ended[#ended + 1] = row.id
    ended[#ended + 1] = row.use
  end
end
`;

/** Those of some ids, of one user or of anybody. Gives what has ended, and ids with the pointers that lead to their rows. */
export const DELETE_IDS = redisScript(
  'delete-ids',
  `${END}
local user = ARGV[1]
local elsewhere, wanted, seen = {}, {}, {}
for index = 2, #ARGV do
  local id = ARGV[index]
  local found = redis.call('HMGET', row_key(id), 'u', 'c', 'p')
  if found[3] then
    elsewhere[#elsewhere + 1] = id
    elsewhere[#elsewhere + 1] = found[3]
  end
  if found[1] then
    local row = unpack_use(found[1])
    row.id, row.use, row.is_claimed = id, found[1], found[2]
    if not seen[id] and (user == '' or row.user == user) then wanted[#wanted + 1] = row end
    seen[id] = true
  end
end
for _, row in ipairs(wanted) do finish(row) end
return { ended, elsewhere }
`,
);

/** All of a user, but for one. What is not ours keeps none of them alive. */
export const DELETE_OF_USER = redisScript(
  'delete-of-user',
  `${END}
local user, except = ARGV[1], ARGV[2]
for _, id in ipairs(redis.call('ZRANGE', user_key(user), 0, -1)) do
  if id ~= except then
    local row, is_foreign = peek(id)
    if row and row.user == user then finish(row)
    elseif not is_foreign then redis.call('ZREM', user_key(user), id) end
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
  local row, is_foreign = peek(id)
  if row and not is_active(row, now) then
    remove(id, row_key(id), row.user)
    count = count + 1
  elseif not row and not is_foreign then redis.call('ZREM', base .. 'i', id)
  end
end
return count
`,
);
