import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { aimLines } from './aims.js';
import { chart } from './chart.js';
import { CONTENDERS } from './contenders.js';
import { linesOf, loadResults, type ScenarioResult } from './results.js';
import { SCENARIOS } from './scenarios.js';
import type { Platform } from './servers/application.js';

const DOCS = join(import.meta.dirname, '../../docs');
const COSTS = join(DOCS, 'costs.md');
const [START, END] = ['<!-- benchmark -->', '<!-- /benchmark -->'];

/** One table: a row for each scenario, a column for each contender. */
function table(platform: Platform, results: readonly ScenarioResult[]): string {
  const contenders = CONTENDERS.filter(({ platforms }) => platforms.includes(platform));
  const rows = SCENARIOS.flatMap(({ name, label }) => {
    const result = results.find((one) => one.platform === platform && one.scenario === name);
    if (!result) return [];
    const lines = new Map(linesOf(result).map((line) => [line.contender, line]));
    const cells = contenders.map((contender) => {
      const line = lines.get(contender.name);
      if (!line) return '–';
      const cost = `${line.cpu.toFixed(0)} µs, ${line.requestsPerSecond.toFixed(0)}/s`;
      if (contender.name === 'bare') return cost;
      if (name === 'latency') return `p50 × ${line.latencyRatio.toFixed(2)}`;
      return `**${line.ratio.toFixed(2)}** (${line.low.toFixed(2)} to ${line.high.toFixed(2)}) ${cost}`;
    });
    return [`| ${[label, ...cells].join(' | ')} |`];
  });
  return [
    `| ${[platform === 'express' ? 'Express' : 'Fastify', ...contenders.map(({ label }) => label)].join(' | ')} |`,
    `| ${['---', ...contenders.map(() => '---')].join(' | ')} |`,
    ...rows,
  ].join('\n');
}

/** The few figures that the page of costs shows. */
function summary(results: readonly ScenarioResult[]): string {
  const chosen = ['no-cookie', 'read', 'write'];
  const names = CONTENDERS.filter(({ name }) => name !== 'bare');
  const rows = names.map(({ name, label }) => {
    const cells = (['express', 'fastify'] as const).flatMap((platform) =>
      chosen.map((scenario) => {
        const result = results.find((one) => one.platform === platform && one.scenario === scenario);
        const line = result && linesOf(result).find(({ contender }) => contender === name);
        return line ? line.ratio.toFixed(2) : '–';
      }),
    );
    return `| ${[label, ...cells].join(' | ')} |`;
  });
  const heads = ['Express: no cookie', 'read', 'write', 'Fastify: no cookie', 'read', 'write'];
  return [
    `| ${['', ...heads].join(' | ')} |`,
    `| ${['---', ...heads.map(() => '---')].join(' | ')} |`,
    ...rows,
  ].join('\n');
}

/** What was aimed at, and how far it is. */
function aims(results: readonly ScenarioResult[]): string {
  const labels = new Map<string, string>(
    [...CONTENDERS, ...SCENARIOS].map(({ name, label }) => [name, label]),
  );
  const lines = aimLines(results, (name) => labels.get(name) ?? name);
  const head = ['server CPU of a request', 'divided into that of', 'Express', 'Fastify'];
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const results = loadResults();
const date =
  results
    .map(({ at }) => at.slice(0, 10))
    .toSorted()
    .at(-1) ?? '';
const rounds = Math.max(
  ...results.flatMap(({ samples }) => Object.values(samples).map(({ length }) => length)),
);
const machine = `Node ${process.versions.node}, ${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'})`;

writeFileSync(
  join(DOCS, 'benchmarks.md'),
  `# Benchmarks

Made on ${date} by \`cd bench && npm ci && npm run bench -- --keep && npm run report\`. ${machine}; each server on one
core, 32 connections, 64 sessions. Bold is the server CPU of the bare app ÷ that of the contender, per request, as the median of
${rounds} interleaved rounds, with its quartiles: 1 would be free, 0.5 is twice the cost of the bare app. Behind it the server CPU (user and
system) of a request, and requests per second. A dash is what was not measured: better-auth takes part in look-ups only, since it
hashes a password at each sign-in and saves no data that a handler has changed. See [where the time goes](../bench/profile.md).

${table('express', results)}

${table('fastify', results)}

## Beside what was aimed at

These ratios were set as aims beforehand, on another machine, where an empty guard and interceptor alone came
to 0.93 of the bare app on Express and 0.65 on Fastify. Figures in bold reach their aim. What keeps the others from it is in the
[profile](../bench/profile.md).

${aims(results)}
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
  `${before}${START}\n\n${summary(results)}\n\nMeasured on ${date}, ${machine}.\n\n${END}${after}`,
);
