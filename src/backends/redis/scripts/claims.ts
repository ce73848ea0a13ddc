import { CLAIM_AGE, redisScript, timelyScript, TOMBSTONE_AGE } from './redis-script.js';

/*
 * What it takes when two buckets have a part in one step, which no script can do at once: a sign-in that replaces a session
 * of another bucket, and an id that says nothing of the bucket that its row is in.
 */

/** Milliseconds that somebody who has been shown a pointer has to insert. */
const POINTER_PATIENCE = 60_000;

/** Milliseconds that a fence stands: ten times as long, whatever the clocks of two servers. */
const FENCE_AGE = 10 * POINTER_PATIENCE;

/**
 * Claims a row, if it is still what it was, or whatever it is where nobody has looked at it: from now on nobody is served by it,
 * and only the claim may give it back. Gives 0 if there is none here, it is another one's, or this claim has given it back.
 */
export const CLAIM = timelyScript(
  'claim',
  `
local id, claim, use, head = unpack(ARGV)
local found = redis.call('HMGET', row_key(id), 'u', 'c', 'p', 'r')
if found[1] and found[2] == claim then return 1 end
local late = untimely()
if late then return late end
if not found[1] or found[2] or redis.call('PTTL', base .. 'x:' .. claim) > 0 then return 0 end
if use == '' then unpack_use(found[1])
elseif found[1] ~= use or string.sub(found[4], 1, #head) ~= head then return 0 end
redis.call('HSET', row_key(id), 'c', claim, 'a', string.format('%.0f', clock))
return 1
`,
  true,
);

/**
 * Gives a row that was claimed back, unless somebody has ended it. Where it is, an id points nowhere else. The claim leaves its name,
 * so that it does nothing when the network delivers it late. It begins with a delete: a server that is full permits the rest then.
 */
export const UNCLAIM = redisScript(
  'unclaim',
  `
local id, claim = unpack(ARGV)
if redis.call('HGET', row_key(id), 'c') == claim then redis.call('HDEL', row_key(id), 'c', 'a', 'p')
else redis.call('HDEL', row_key(id), 'none') end
redis.call('SET', base .. 'x:' .. claim, '', 'PX', ${TOMBSTONE_AGE})
return 1
`,
  true,
);

/** Removes a row that was claimed: by the claim, or by anybody once the claim is so old that whoever made it has crashed. */
export const BURY = redisScript(
  'bury',
  `
local id, claim = unpack(ARGV)
local found = redis.call('HMGET', row_key(id), 'u', 'c', 'a')
if not found[1] or not found[2] then return 0 end
if found[2] ~= claim and clock < (tonumber(found[3] or '') or 0) + ${CLAIM_AGE} then return 0 end
remove(id, row_key(id), unpack_use(found[1]).user)
return 1
`,
);

/**
 * Takes an insert back whose call has failed: nobody has the token of the new row, which would only take a place of its user.
 * Where it has not come yet it never will, however late it comes, since its name stays as a tombstone.
 */
export const CANCEL = redisScript(
  'cancel',
  `
local id, name = unpack(ARGV)
local key = row_key(id)
local found = redis.call('HMGET', key, 'u', 'n')
if found[1] and found[2] ~= name then return 0 end
if found[1] then remove(id, key, unpack_use(found[1]).user)
else
  redis.call('HDEL', key, 'none')
  redis.call('HSET', key, 'n', name)
  if redis.call('HEXISTS', key, 'p') == 0 then redis.call('PEXPIRE', key, ${TOMBSTONE_AGE}) end
end
return 1
`,
  true,
);

/**
 * Lets an id point to the bucket that its row will be in. Nothing is pointed to that is not there to stay, so a pointer to
 * another bucket is only taken down by who has seen to it that there is no row behind it. Gives the pointer as it is then, and
 * until when the row may be inserted.
 */
export const POINT = timelyScript(
  'point',
  `
local late = untimely()
if late then return late end
local id, bucket, over, taken_down, claim = unpack(ARGV)
local key = row_key(id)
local found = redis.call('HMGET', key, 'u', 'c', 'p', 'g')
-- Later pointers have greater numbers, also when the key has been forgotten in between
local number = string.format('%.0f', math.max(time[1] * 1000000 + time[2], tonumber(found[4] or '0') + 1))
local pointer = bucket .. ' ' .. number
if found[1] and not (claim ~= '' and found[2] == claim) then return { 'taken' } end
if found[3] and found[3] ~= taken_down then
  if string.sub(found[3], 1, 2) ~= bucket then return { 'pointer', found[3] } end
  pointer, number = found[3], found[4] or string.sub(found[3], 4)
end
redis.call('HSET', key, 'p', pointer, 'g', number)
outlive(key, over)
return { 'points', pointer, string.format('%.0f', clock + ${POINTER_PATIENCE}) }
`,
  true,
);

/** Takes a pointer down behind which there is no row, and will be none. */
export const UNPOINT = redisScript(
  'unpoint',
  `
local id, pointer = unpack(ARGV)
local key = row_key(id)
if redis.call('HGET', key, 'p') ~= pointer then return 0 end
redis.call('HDEL', key, 'p', 'g')
if redis.call('HEXISTS', key, 'u') == 0 then redis.call('PEXPIRE', key, ${TOMBSTONE_AGE}) end
return 1
`,
);

/** Sees to it that nobody inserts a row who was shown this pointer, or an earlier one. Gives 0 if there is one already. */
export const FENCE = redisScript(
  'fence',
  `
local id, number, claim = unpack(ARGV)
local key = row_key(id)
local found = redis.call('HMGET', key, 'u', 'c', 'f')
if found[1] and not (claim ~= '' and found[2] == claim) then return 0 end
if not found[3] or tonumber(number) > tonumber(found[3]) then redis.call('HSET', key, 'f', number) end
if not found[1] then redis.call('PEXPIRE', key, ${FENCE_AGE}) end
return 1
`,
  true,
);
