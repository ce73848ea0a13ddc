import type { OwnRedis } from './own-redis.js';
import type { OwnRedisCluster } from './own-redis-cluster.js';

/** A slot of a Cluster on its way to another master, in the steps that `redis-cli --cluster reshard` takes. */
export class SlotMove {
  private constructor(
    private readonly slot: string,
    private readonly from: OwnRedis,
    private readonly to: OwnRedis,
    private readonly others: readonly OwnRedis[],
  ) {}

  /** Begins to move the slot of a key to the next of the masters. Its keys are still where they were. */
  static async begin({ servers }: OwnRedisCluster, key: string): Promise<SlotMove> {
    const slot = (await ask(servers[0], 'CLUSTER', 'KEYSLOT', key)).slice(1);
    const roles = await Promise.all(servers.map((server) => server.say('INFO', 'replication')));
    const masters = servers.filter((_, index) => roles[index]?.includes('role:master'));
    const replies = await Promise.all(masters.map((server) => server.say('EXISTS', key)));
    const owner = replies.findIndex((reply) => reply.startsWith(':'));
    const [from, to] = [masters[owner], masters[(owner + 1) % masters.length]];
    if (!from || !to) throw new Error(`nobody has slot ${slot}`);
    await ask(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(from));
    await ask(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', await idOf(to));
    const others = masters.filter((server) => server !== from && server !== to);
    return new SlotMove(slot, from, to, others);
  }

  /** Keys that have not been carried over, up to a thousand. */
  async keys(): Promise<readonly string[]> {
    const reply = await ask(this.from, 'CLUSTER', 'GETKEYSINSLOT', this.slot, '1000');
    return reply.split('\r\n').filter((line) => line !== '' && !/^[*$]/.test(line));
  }

  /** Carries keys over, each at one instant. */
  async carry(keys: readonly string[]): Promise<void> {
    for (const key of keys)
      await ask(this.from, 'MIGRATE', '127.0.0.1', String(this.to.port), key, '0', '5000');
  }

  /** Carries over what is left, and tells all masters where the slot is now. */
  async finish(): Promise<void> {
    for (let keys = await this.keys(); keys.length > 0; keys = await this.keys()) await this.carry(keys);
    const id = await idOf(this.to);
    for (const server of [this.to, this.from, ...this.others])
      await ask(server, 'CLUSTER', 'SETSLOT', this.slot, 'NODE', id);
  }
}

async function idOf(server: OwnRedis): Promise<string> {
  return (await ask(server, 'CLUSTER', 'MYID')).split('\r\n')[1] ?? '';
}

async function ask(server: OwnRedis | undefined, ...words: readonly string[]): Promise<string> {
  const reply = (await server?.say(...words)) ?? '-none';
  if (reply.startsWith('-')) throw new Error(`${words.join(' ')}: ${reply}`);
  return reply;
}
