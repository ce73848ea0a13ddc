import { CLAIM_AGE, timelyScript } from './redis-script.js';

/** Begins the sessions of one bucket. */
export const INSERT = timelyScript(
  'insert',
  `
local id, use, rest, user, present, max, on_limit = unpack(ARGV, 1, 7)
local replaced_id, replaced_use, replaced_head = unpack(ARGV, 8, 10)
local pointer, number, deadline, key_id, may_wait, name, tombstone = unpack(ARGV, 11, 17)
local key = row_key(id)
local fresh = unpack_use(use)

local there = redis.call('HMGET', key, 'u', 'c', 'p', 'f', 'n', 'e')

-- This very insert, sent again by a client that did not hear of the first time, or delivered late
if there[5] == name then
  if not there[1] then return { 'ended' } end
  if there[6] then return cmsgpack.unpack(there[6]) end
  return { 'inserted' }
end
local late = untimely()
if late then return late end

-- Whether the id is free here. A pointer leads to another bucket, and a fence keeps out who was overtaken. After a row that has
-- ended only who knows of it may insert: what was sent before and comes late does not
if number ~= '' and there[4] and tonumber(number) <= tonumber(there[4]) then return { 'fenced' } end
if number ~= '' and clock > tonumber(deadline) then return { 'overtaken' } end
if there[3] and there[3] ~= pointer then return { 'pointer', there[3] } end
local is_replaced_here = replaced_id == id
if there[1] then
  unpack_use(there[1])
  if not is_replaced_here then return { 'taken' } end
elseif there[5] and there[5] ~= tombstone then return { 'tombstone', there[5] } end

-- Whether what is replaced is still as it was when the new row was built
if replaced_id ~= '' then
  local old = redis.call('HMGET', row_key(replaced_id), 'u', 'c')
  if old[2] then return { 'stale' } end
  if replaced_use == '' and old[1] then return { 'stale' } end
  if replaced_use ~= '' then
    if old[1] ~= replaced_use then return { 'stale' } end
    local old_rest = redis.call('HGET', row_key(replaced_id), 'r') or ''
    if string.sub(old_rest, 1, #replaced_head) ~= replaced_head then return { 'stale' } end
  end
end

-- A row that a sign-in in another bucket has claimed counts, as that may give it back. Once whoever claimed it has crashed,
-- nobody may any more
local function is_abandoned(row)
  if not row.is_claimed then return false end
  local since = redis.call('HGET', row_key(row.id), 'a') or ''
  return clock >= (tonumber(since) or 0) + ${CLAIM_AGE}
end

-- Who has to go
local excess = {}
if max ~= '' then
  local counted = {}
  for _, other in ipairs(redis.call('ZRANGE', user_key(user), 0, -1)) do
    local row, is_foreign = peek(other)
    if not row then
      if not is_foreign then redis.call('ZREM', user_key(user), other) end
    elseif other ~= replaced_id and other ~= id and row.user == user and row.token == 't'
      and is_active(row, present) then
      if is_abandoned(row) then remove(other, row_key(other), user)
      else counted[#counted + 1] = row end
    end
  end
  local count = #counted + 1 - tonumber(max)
  if count > 0 and on_limit == 'reject' then return { 'limit' } end
  -- First of all those that are claimed: nobody is served by them, and an active one would go too many
  table.sort(counted, function(one, other)
    if not one.is_claimed ~= not other.is_claimed then return not not one.is_claimed end
    local a, b = tonumber(one.last), tonumber(other.last)
    if a ~= b then return a < b end
    return is_before(one.id, other.id)
  end)
  for index = 1, count do excess[index] = counted[index] end
  -- Rows are built before they come here. One that was overtaken on the way by whom it would evict is built anew, as the later
  -- one that it is, unless the clocks of two apps are the reason
  local last = excess[count]
  if may_wait == '1' and last and not last.is_claimed and tonumber(last.last) > tonumber(fresh.last) then
    return { 'stale' }
  end
end

-- First what may be refused for want of memory, so that then nothing has changed
redis.call('HSET', key, 'u', use, 'r', rest, 'n', name)
redis.call('HDEL', key, 'c', 'a', 'p', 'e')
forget_after(key, fresh.expires, fresh.over)
redis.call('ZADD', base .. 'i', 0, id)
outlive(base .. 'i', fresh.over)
redis.call('ZADD', base .. 'k', 'GT', fresh.over, key_id)
outlive(base .. 'k', fresh.over)
if user ~= '' then
  redis.call('ZADD', user_key(user), fresh.over, id)
  outlive(user_key(user), fresh.over)
end

if replaced_use ~= '' then
  local old = unpack_use(replaced_use)
  if not is_replaced_here then remove(replaced_id, row_key(replaced_id), old.user)
  elseif old.user and old.user ~= user then redis.call('ZREM', user_key(old.user), id) end
end
local result = { 'inserted' }
for _, row in ipairs(excess) do
  remove(row.id, row_key(row.id), user)
  if not row.is_claimed then
    result[#result + 1] = row.id
    result[#result + 1] = row.use
  end
end
-- For whoever does not hear of it and asks again; it goes with the first change
if #result > 1 then redis.call('HSET', key, 'e', cmsgpack.pack(result)) end

-- A few entries of rows that Redis has forgotten leave the index with each row that comes
for _, other in ipairs(redis.call('ZRANDMEMBER', base .. 'i', 4)) do
  if redis.pcall('HEXISTS', row_key(other), 'u') == 0 then redis.call('ZREM', base .. 'i', other) end
end
return result
`,
  true,
);
