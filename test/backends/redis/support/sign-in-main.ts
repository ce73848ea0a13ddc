// A process of its own that signs one user in, many times at once, and reports what failed.
import { Redis } from 'ioredis';
import { RedisSessionBackend } from '../../../../src/backends/redis/index.js';
import { insertLimited, row } from '../../../../src/testing/backend-contract/contract-rule.js';

const [port = '', prefix = '', name = '', count = '', max = ''] = process.argv.slice(2);
const client = new Redis(Number(port));
const backend = new RedisSessionBackend(client, { prefix });
const failures: string[] = [];
let number = 0;

async function signIn(): Promise<void> {
  while (number < Number(count)) {
    const built = row(`${name}-${number++}`);
    const result = await insertLimited(backend, built, { max: Number(max), onLimit: 'evict' });
    if (result.status !== 'inserted') failures.push(result.status);
  }
}

await backend.init();
await Promise.all(Array.from({ length: 16 }, () => signIn().catch((error) => failures.push(String(error)))));
client.disconnect();
process.send?.(failures);
