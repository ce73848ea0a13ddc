import { createHash } from 'node:crypto';

/** A Lua script, with what it is known by once a server has it. */
export interface RedisScript {
  /** What it does, for error messages. */
  readonly name: string;
  /** The text. */
  readonly source: string;
  /** Its SHA-1, by which `EVALSHA` names it. */
  readonly sha: string;
  /** Whether it recognises what it has done already, so that it is sent again when nobody knows whether it ran. */
  readonly isRepeatable: boolean;
  /** Whether it is told when its call will have been answered, and does nothing after that. */
  readonly isTimely: boolean;
}

/** Milliseconds after which nobody is at work any more who has claimed a row. */
export const CLAIM_AGE = 60_000;

/** Milliseconds for which a key remembers the row that has ended in it: longer than a network keeps what it was given. */
export const TOMBSTONE_AGE = 600_000;

/**
 * What all scripts begin with. A script is given one key, that of the index of a bucket, and finds the other keys of the
 * bucket beside it: they have the same hash tag, so they are in the same slot. Numbers stay the text that they are stored
 * as, since Lua would round a version of 16 digits.
 */
const PRELUDE = `
local base = string.sub(KEYS[1], 1, -2)
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)

-- Milliseconds that keys outlive what they hold, so that no clock of an app that runs late finds them gone
local SLACK = 3600000

local function row_key(id) return base .. 's:' .. id end
local function user_key(user) return base .. 'u:' .. user end

-- The instant at which a key is forgotten that holds something until the given one
local function until_after(at)
  return string.format('%.0f', math.max(tonumber(at), clock) + SLACK)
end

-- Makes an index last as long as a member of it, and never less long than it does
local function outlive(key, at)
  local wanted = until_after(at)
  if redis.call('PTTL', key) < wanted - clock then redis.call('PEXPIREAT', key, wanted) end
end

-- A row is forgotten after whichever of its two expiries comes first
local function forget_after(key, expires, over)
  local first = expires
  if tonumber(over) < tonumber(expires) then first = over end
  redis.call('PEXPIREAT', key, until_after(first))
end

-- What the field u says; nil where it is not ours
local function parse_use(use)
  local last, expires, over, created, version, kind, token, user =
    string.match(use, '^(%S+) (%S+) (%S+) (%S+) (%S+) ([u%-])([t%-]) (.*)$')
  for _, word in ipairs({ last or '', expires or '', over or '', created or '', version or '' }) do
    if not string.match(word, '^%-?%d+%.?%d*$') then return nil end
  end
  if kind == '-' then user = nil end
  return {
    last = last, expires = expires, over = over, created = created, version = version,
    token = token, user = user
  }
end

local function unpack_use(use)
  return parse_use(use) or error('NOTOURS')
end

-- The row of an id, with the field u and whether it is claimed. No row, and true: what is there is not ours, and stays
local function peek(id)
  local found = redis.pcall('HMGET', row_key(id), 'u', 'c')
  if found.err then return nil, true end
  if not found[1] then return nil, false end
  local row = parse_use(found[1])
  if not row then return nil, true end
  row.id, row.use, row.is_claimed = id, found[1], found[2]
  return row, false
end

local function pack_use(row)
  local kind = '-'
  if row.user then kind = 'u' end
  return table.concat({ row.last, row.expires, row.over, row.created, row.version,
    kind .. row.token, row.user or '' }, ' ')
end

local function is_active(row, now)
  return tonumber(now) < tonumber(row.expires) and tonumber(now) < tonumber(row.over)
end

-- The order of bytes: < of Lua compares by the locale of the server
local function is_before(one, other)
  local shorter = math.min(#one, #other)
  for index = 1, shorter do
    local a, b = string.byte(one, index), string.byte(other, index)
    if a ~= b then return a < b end
  end
  return #one < #other
end

-- Use moves on both instants, never back, and the second never past the absolute expiry
local function use_at(row, last, expires)
  if tonumber(last) > tonumber(row.last) then row.last = last end
  if tonumber(expires) > tonumber(row.over) then expires = row.over end
  if tonumber(expires) > tonumber(row.expires) then row.expires = expires end
end

-- Puts a row that is there back where lists and sign-outs look for it, should somebody have removed it from there
local function enlist(id, row)
  if redis.call('ZADD', base .. 'i', 0, id) == 1 then outlive(base .. 'i', row.over) end
  if row.user and redis.call('ZADD', user_key(row.user), row.over, id) == 1 then
    outlive(user_key(row.user), row.over)
  end
end

-- Removes a row and what points at it, but for what else its key holds. The field n, which names the insert, stays for a while
-- as a tombstone, against inserts that the network delivers late. Deletes alone: a server that is full refuses anything else
local function remove(id, key, user)
  redis.call('HDEL', key, 'u', 'r', 'c', 'a', 'e')
  if redis.call('HEXISTS', key, 'p') == 0 then redis.call('PEXPIRE', key, ${TOMBSTONE_AGE}) end
  redis.call('ZREM', base .. 'i', id)
  if user then redis.call('ZREM', user_key(user), id) end
end
`;

/** Milliseconds by which the clock of a server may be behind what the app takes it for. */
const CLOCK_SLACK = 1_000;

/**
 * For scripts that may not run once their call has been answered. A client keeps what it cannot send, and a network what it cannot
 * deliver, so a sign-in that was answered 503 would be carried out when the server is back.
 *
 * The last two words are when the call left, by the clock of the server as the app knows it, and how many milliseconds it may
 * take; both empty: any number. Where a call seems to come before it left, the app knows the clock of another server, and
 * nothing is done either. The refusal says what time it is here, and the app sends the call again while somebody waits for it.
 */
const TIMELY = `
local function untimely()
  local left, patience = tonumber(ARGV[#ARGV - 1]), tonumber(ARGV[#ARGV])
  if not left or (clock <= left + patience and clock >= left - ${CLOCK_SLACK}) then return nil end
  return redis.error_reply(string.format('UNTIMELY %.0f', clock))
end
`;

/** Makes a script of its name and its lines. */
export function redisScript(name: string, body: string, isRepeatable = false): RedisScript {
  return script(name, PRELUDE + body, isRepeatable, false);
}

/** The same for one that asks `untimely()` before it changes anything, and gives what that says unless it is nil. */
export function timelyScript(name: string, body: string, isRepeatable = false): RedisScript {
  return script(name, PRELUDE + TIMELY + body, isRepeatable, true);
}

function script(name: string, source: string, isRepeatable: boolean, isTimely: boolean): RedisScript {
  return { name, source, sha: createHash('sha1').update(source).digest('hex'), isRepeatable, isTimely };
}
