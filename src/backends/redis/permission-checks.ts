import type { RedisDurability } from './bucket-client.js';
import {
  type RedisConnection,
  type RedisServer,
  type Reply,
  textOf,
  type Word,
} from './connection/redis-connection.js';

/*
 * Whether the user of the connection may run the commands of the sessions. Each is tried in a form that changes nothing: a
 * server asks its ACL before it looks at anything else.
 */

/** What is to be tried. */
export interface NeededPermissions {
  /** What all keys begin with. */
  readonly prefix: string;
  readonly durability: RedisDurability;
  /** Where ended sessions are published; `null`: nowhere. */
  readonly channel: string | null;
}

/** What servers say of a command, a key or a channel that the user may not have, as such and inside scripts. */
const REFUSAL = /NOPERM|ACL failure|can't run this command/;

/**
 * Tries what scripts run, on a key that is not there, and gives the name of each command with the error, one after the other.
 * HSET lacks a value, and ZADD and SET change only what is there.
 */
const TRY_IN_SCRIPT = `
local key = ARGV[1]
local failed = {}
for _, words in ipairs({
  { 'HMGET', key, 'u' }, { 'HGET', key, 'u' }, { 'HEXISTS', key, 'u' }, { 'HSET', key, 'u', '', 'r' }, { 'HDEL', key, 'u' },
  { 'ZADD', key, 'XX', 0, 'id' }, { 'ZREM', key, 'id' }, { 'ZRANGE', key, 0, -1 }, { 'ZRANDMEMBER', key, 1 },
  { 'PTTL', key }, { 'PEXPIRE', key, 1 }, { 'PEXPIREAT', key, 1 }, { 'SET', key, '', 'XX', 'PX', 1 }, { 'TIME' }
}) do
  local reply = redis.pcall(unpack(words))
  if type(reply) == 'table' and reply.err then
    failed[#failed + 1] = words[1]
    failed[#failed + 1] = reply.err
  end
end
return failed
`;

/** The commands that a server refuses to the user, each once, and what it says of the first; `null`: it refuses none. */
export async function refusedCommands(
  server: RedisServer,
  connection: RedisConnection,
  { prefix, durability, channel }: NeededPermissions,
): Promise<{ readonly names: readonly string[]; readonly reason: string } | null> {
  const key = `${prefix}{00}:none`;
  const refused = new Map<string, string>();
  const note = (name: string, said: string): boolean => {
    const isRefusal = REFUSAL.test(said);
    if (isRefusal && !refused.has(name)) refused.set(name, said);
    return isRefusal;
  };
  const attempt = (name: string, reply: Promise<Reply>): Promise<Reply> =>
    reply.catch((error: unknown) => void note(name, textOfError(error)));

  // First whether it answers at all. What it says beside refusals later is of keys that are elsewhere, or not there.
  await server.send(['INFO', 'server']).catch((error: unknown) => {
    if (!note('INFO', textOfError(error))) throw error;
  });
  const commands: Array<readonly [string, ...Word[]]> = [
    ['EVALSHA', '0'.repeat(40), '0'],
    ['HMGET', key, 'u'],
    ['ZRANGEBYLEX', key, '-', '+'],
    ['ZRANGEBYSCORE', key, '0', '0'],
    ['TIME'],
  ];
  if (connection.isCluster) commands.push(['EXISTS', key]);
  if (durability === 'replica') commands.push(['WAIT', '0', '0']);
  if (channel !== null) commands.push(['PUBLISH', channel, '{"test":"permission"}']);
  if (durability !== 'primary') commands.push(['CLIENT', 'ID']);
  const [inScript] = await Promise.all([
    attempt('EVAL', server.send(['EVAL', TRY_IN_SCRIPT, '0', key])),
    ...commands.map((words) => attempt(words[0] === 'CLIENT' ? 'CLIENT ID' : words[0], server.send(words))),
    // Where a client does not know it, its name gets through only in a list.
    ...(durability === 'fsync'
      ? [attempt('WAITAOF', connection.sendTogether(key, [['WAITAOF', '0', '0', '0']]))]
      : []),
  ]);
  const failed = Array.isArray(inScript) ? inScript.map(textOf) : []; // EVAL itself may be refused
  for (let index = 0; index + 1 < failed.length; index += 2)
    note(failed[index] ?? '', failed[index + 1] ?? '');
  const [reason] = refused.values();
  return reason === undefined ? null : { names: [...refused.keys()], reason };
}

function textOfError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
