import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { aimLines } from './aims.js';
import { chart } from './chart.js';
import { CONTENDERS } from './contenders.js';
import { contendersOf, type Group, GROUPS } from './groups.js';
import { linesOf, loadResults, type Ratio, ratioOf, type ScenarioResult } from './results.js';
import { type ScenarioName, SCENARIOS } from './scenarios.js';
import type { Platform } from './servers/application.js';

const DOCS = join(import.meta.dirname, '../../docs');
const COSTS = join(DOCS, 'costs.md');
const [START, END] = ['<!-- benchmark -->', '<!-- /benchmark -->'];

const PLATFORMS = { express: 'Express', fastify: 'Fastify' } as const satisfies Record<Platform, string>;
const NAMES = Object.keys(PLATFORMS) as Platform[];

const LABELS = new Map<string, string>([...CONTENDERS, ...SCENARIOS].map(({ name, label }) => [name, label]));

const results = loadResults().filter(({ group }) => GROUPS.some(({ name }) => name === group));

function labelOf(name: string): string {
  return LABELS.get(name) ?? name;
}

function rows(head: readonly string[], lines: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function resultOf(group: string, platform: Platform, scenario: ScenarioName): ScenarioResult | undefined {
  return results.find((one) => one.group === group && one.platform === platform && one.scenario === scenario);
}

function spread({ median, low, high }: Ratio): string {
  return `**${median.toFixed(2)}** (${low.toFixed(2)} to ${high.toFixed(2)})`;
}

/** One table: a row for each scenario of a group on a platform, a column for each contender. */
function table(group: Group, platform: Platform): string {
  const contenders = contendersOf(group).filter(({ platforms }) => platforms.includes(platform));
  const lines = SCENARIOS.flatMap(({ name, label }) => {
    const result = resultOf(group.name, platform, name);
    if (!result) return [];
    const measured = new Map(linesOf(result).map((line) => [line.contender, line]));
    const cells = contenders.map((contender) => {
      const line = measured.get(contender.name);
      if (!line) return '–';
      const cost = `${line.cpu.toFixed(0)} µs, ${line.requestsPerSecond.toFixed(0)}/s`;
      if (contender.name === 'bare') return cost;
      if (name === 'latency') return `p50 × ${line.latencyRatio.toFixed(2)}`;
      return `${spread(line.ratio)} ${cost}`;
    });
    return [[label, ...cells]];
  });
  return rows([PLATFORMS[platform], ...contenders.map(({ label }) => label)], lines);
}

/** What was divided by ours, as rows of quotients. */
function quotients(pairs: readonly (readonly [of: string, by: string])[], platforms: readonly Platform[]) {
  const columns = platforms.flatMap((platform) =>
    (['read', 'write'] as const).map((scenario) => [platform, scenario] as const),
  );
  const head = columns.map(([platform, scenario]) => `${PLATFORMS[platform]}: ${scenario}`);
  const lines = pairs.map(([of, by]) => {
    const cells = columns.map(([platform, scenario]) => {
      const own = results.filter((one) => one.platform === platform && one.scenario === scenario);
      const ratio = own.map((result) => ratioOf(result, of, by)).find((one) => one !== null);
      return ratio ? spread(ratio) : '–';
    });
    return [`${labelOf(of)} ÷ ${labelOf(by)}`, ...cells];
  });
  return rows(['', ...head], lines);
}

const DRIVERS = ['sqlite3', 'better-sqlite3', 'postgres', 'mariadb'] as const;
const FLOORS = DRIVERS.map((driver) => [`floor-${driver}`, `ours-${driver}`] as const);
const PEERS = [
  ['express-session', 'ours-sqlite3'],
  ['express-session', 'ours-better-sqlite3'],
  ['express-session', 'ours-postgres'],
  ['connect-typeorm', 'ours-sqlite3'],
  ['connect-pg-simple', 'ours-postgres'],
  ['connect-redis', 'ours-redis'],
] as const;
const BARE = [
  ...[...DRIVERS, 'redis', 'memory'].map((driver) => ['bare', `ours-${driver}`] as const),
  ['bare', 'empty'] as const,
];

/** The few figures that the page of costs shows. */
function summary(): string {
  return [
    'The same app with one prepared statement of the same driver in each request, and nothing else, ÷ nest-sessions:',
    quotients(FLOORS, NAMES),
    'Other libraries ÷ nest-sessions, on Express:',
    quotients(PEERS, ['express']),
    'The app without sessions ÷ nest-sessions:',
    quotients(BARE, NAMES),
  ].join('\n\n');
}

const date =
  results
    .map(({ at }) => at.slice(0, 10))
    .toSorted()
    .at(-1) ?? '';
const lengths = results.flatMap(({ samples }) => Object.values(samples).map(({ length }) => length));
const [fewest, most] = [Math.min(...lengths), Math.max(...lengths)];
const rounds = fewest === most ? most : `${fewest} to ${most}`;
const measured = SCENARIOS.map(({ name }) => name).filter((name) =>
  results.some(({ scenario }) => scenario === name),
);
const chosen = measured.length === SCENARIOS.length ? '' : ` --scenario ${measured.join(',')}`;
const machine = `Node ${process.versions.node}, ${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'})`;
const missed = rows(['server CPU of a request', ...Object.values(PLATFORMS)], aimLines(results, labelOf));

writeFileSync(
  join(DOCS, 'benchmarks.md'),
  `# Benchmarks

Made on ${date} by \`cd bench && npm ci && npm run bench -- --keep${chosen} && npm run report\`. ${machine}; each server on one core, 32
connections, 64 sessions of 200 bytes unless the line says otherwise. Contenders are measured in groups, each beside a bare app of its own. Bold is the server CPU of
the bare app ÷ that of the contender, per request, as the median of ${rounds} interleaved rounds, with its quartiles: 1 would be free, 0.5
is twice the cost of the bare app. Behind it the server CPU (user and system) of a request, and requests per second. A dash is what was not
measured. "One statement" is the least that a session in a database can cost: a guard reads the id from the cookie, gets a row by one
prepared SELECT and parses its JSON; a write waits for one durable UPSERT. Nothing is encrypted, signed or limited there. better-auth takes part in
look-ups only, since it hashes a password at each sign-in and saves no data that a handler has changed. See [where the time goes](../bench/profile.md).

${GROUPS.map(
  (group) => `## ${group.label}\n\n${NAMES.map((platform) => table(group, platform)).join('\n\n')}`,
).join('\n\n')}

## Beside what was aimed at

Quotients of server CPU, of what is named first ÷ nest-sessions: above 1, nest-sessions is the cheaper one. They were set as aims
beforehand, on another machine. In the last lines less is better: the median time of a read at one connection as a multiple of that of one
statement, and what a sign-in takes as a multiple of a write. Figures in bold reach their aim. What keeps the others from it is in the
[profile](../bench/profile.md).

${missed}
`,
);

for (const theme of ['light', 'dark'] as const) {
  writeFileSync(join(DOCS, `benchmark-${theme}.svg`), chart(results, theme));
}

const costs = readFileSync(COSTS, 'utf8');
const [before = '', rest = ''] = costs.split(START);
const [, after = ''] = rest.split(END);
if (rest === '') throw new Error(`docs/costs.md has no ${START}`);
writeFileSync(
  COSTS,
  `${before}${START}\n\n${summary()}\n\nMeasured on ${date}, ${machine}.\n\n${END}${after}`,
);
