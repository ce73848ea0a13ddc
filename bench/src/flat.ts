import Database from 'better-sqlite3';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LoadGenerator } from './load.js';
import { signIn } from './scenarios.js';
import { pinGenerator, ServerProcess } from './server-process.js';
import { median } from './statistics.js';

const { values } = parseArgs({
  options: {
    contender: { type: 'string', default: 'ours-sqlite3' },
    rows: { type: 'string', default: '1000000' },
    requests: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '9' },
  },
});

/** Sessions that requests use. */
const USED = 1_000;

/** A server with a file of its own, and cookies of sessions in it. */
class FlatServer {
  private next = 0;

  private constructor(
    private readonly server: ServerProcess,
    private readonly load: LoadGenerator,
    private readonly file: string,
    private readonly table: string,
    private readonly cookies: readonly string[],
  ) {}

  static async start(table: string, folder: string): Promise<FlatServer> {
    const settings = {
      contender: values.contender,
      platform: 'fastify',
      folder,
      table,
      touches: false,
    } as const;
    const server = await ServerProcess.start(settings);
    const load = new LoadGenerator(server.origin, 32);
    const cookies: string[] = [];
    for (let i = 0; i < USED; i++) cookies.push((await load.send(signIn(200))) ?? '');
    return new FlatServer(server, load, join(folder, `${table}.sessions.sqlite`), table, cookies);
  }

  /** Makes the table that large, with copies of one of its rows. */
  grow(rows: number): void {
    const database = new Database(this.file);
    database.pragma('journal_mode = WAL');
    const columns = database
      .prepare<[], { name: string }>(`PRAGMA table_info(${this.table})`)
      .all()
      .map(({ name }) => name);
    const copied = columns.map((name) => {
      if (name === 'id') return "printf('01J%023d', (n * 7919) % 1000003)";
      return name === 'user_id' ? "'filler' || n" : name;
    });
    database.exec(
      `WITH RECURSIVE count(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM count WHERE n < ${rows - USED}) ` +
        `INSERT INTO ${this.table} (${columns.join(', ')}) SELECT ${copied.join(', ')} ` +
        `FROM count, (SELECT * FROM ${this.table} LIMIT 1)`,
    );
    database.pragma('wal_checkpoint(TRUNCATE)');
    database.close();
  }

  /** Sends so many reads. Resolves to the server's CPU for each, in microseconds. */
  async read(requests: number): Promise<number> {
    const before = await this.server.usage();
    let left = requests;
    await this.load.run(() =>
      left-- > 0
        ? { method: 'GET', path: '/read', cookie: this.cookies[this.next++ % this.cookies.length] }
        : undefined,
    );
    return ((await this.server.usage()).cpu - before.cpu) / requests;
  }

  /** Megabytes after a collection of garbage: of the heap with what hangs from it, and of the process. */
  async memory(): Promise<{ heap: number; process: number }> {
    const { memory } = await this.server.usage(true);
    return { heap: (memory.heapUsed + memory.external) / 2 ** 20, process: memory.rss / 2 ** 20 };
  }

  async stop(): Promise<void> {
    await this.load.close();
    await this.server.stop();
  }
}

/** CPU of a read with a large table ÷ with a small one, interleaved. */
async function compareTables(folder: string): Promise<void> {
  const [small, large] = [await FlatServer.start('small', folder), await FlatServer.start('large', folder)];
  large.grow(Number(values.rows));
  for (const server of [small, large]) await server.read(20_000);
  const samples: { small: number; large: number }[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    samples.push({ small: await small.read(3_000), large: await large.read(3_000) });
  }
  await Promise.all([small.stop(), large.stop()]);
  const ratio = median(samples.map((sample) => sample.large / sample.small));
  console.log(
    `read, ${values.contender}: ${median(samples.map((one) => one.small)).toFixed(1)} µs with ${USED} sessions stored, ` +
      `${median(samples.map((one) => one.large)).toFixed(1)} µs with ${values.rows}: × ${ratio.toFixed(2)}`,
  );
}

/** Memory of one server, early and late. */
async function compareMemory(folder: string): Promise<void> {
  const server = await FlatServer.start('memory', folder);
  await server.read(10_000);
  const early = await server.memory();
  await server.read(Number(values.requests) - 10_000);
  const late = await server.memory();
  await server.stop();
  const show = ({ heap, process }: typeof early): string =>
    `heap ${heap.toFixed(1)} MB, process ${process.toFixed(1)} MB`;
  console.log(`after 10000 requests: ${show(early)}; after ${values.requests}: ${show(late)}`);
}

pinGenerator();
const folder = await mkdtemp(join(tmpdir(), 'nest-sessions-flat-'));
try {
  await compareTables(folder);
  await compareMemory(folder);
} finally {
  await rm(folder, { recursive: true, force: true });
}
