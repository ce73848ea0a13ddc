import { parseArgs } from 'node:util';
import { type Contender, CONTENDERS } from './contenders.js';
import { contendersOf, GROUPS } from './groups.js';
import { type Effort, measure } from './measure.js';
import { keepResult, linesOf, type ScenarioResult } from './results.js';
import { SCENARIOS } from './scenarios.js';
import { pinGenerator } from './server-process.js';
import type { Platform } from './servers/application.js';

/** What a quick look takes, by default. */
const QUICK = {
  scenario: 'read,write',
  contender: 'ours-sqlite3,ours-better-sqlite3,express-session,fastify-session',
};

const USAGE = `npm run bench -- [options]
  --quick                 in about a minute, roughly: ${QUICK.scenario} of ${QUICK.contender}, unless others are named
  --scenario a,b          only these: ${SCENARIOS.map(({ name }) => name).join(', ')}
  --group a,b             only these groups of contenders: ${GROUPS.map(({ name }) => name).join(', ')}
  --contender a,b         these in one group, in place of the groups: ${CONTENDERS.map(({ name }) => name).join(', ')}
  --platform a            express or fastify; default both
  --starts n --rounds n --duration ms --warm-up ms
                          how often servers are started, how often each is measured then, and how long
  --profile folder        keeps a CPU profile of each server there, of its last start
  --keep                  keeps the samples in results.json, from which npm run report makes table and chart`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    scenario: { type: 'string' },
    group: { type: 'string' },
    contender: { type: 'string' },
    platform: { type: 'string' },
    starts: { type: 'string' },
    rounds: { type: 'string' },
    duration: { type: 'string' },
    'warm-up': { type: 'string' },
    profile: { type: 'string' },
  },
});

/** Names that are chosen, each a list, or everything. */
const chosen: { readonly scenario?: string; readonly contender?: string } = values.quick
  ? { ...QUICK, ...values }
  : values;

const isChosen = (list: string | undefined, name: string): boolean =>
  list === undefined || list.split(',').includes(name);

function effort(): Effort {
  const base = values.quick
    ? { starts: 1, rounds: 5, duration: 100, warmUp: 2000, warmRequests: 0, leadIn: 100 }
    : { starts: 2, rounds: 4, duration: 300, warmUp: 2000, warmRequests: 6000, leadIn: 700 };
  return {
    ...base,
    starts: Number(values.starts ?? base.starts),
    rounds: Number(values.rounds ?? base.rounds),
    duration: Number(values.duration ?? base.duration),
    warmUp: Number(values['warm-up'] ?? base.warmUp),
    profiles: values.profile,
  };
}

/** What is measured together, by name. */
function chosenGroups(): ReadonlyArray<readonly [name: string, contenders: readonly Contender[]]> {
  if (chosen.contender === undefined)
    return GROUPS.filter(({ name }) => isChosen(values.group, name)).map(
      (group) => [group.name, contendersOf(group)] as const,
    );
  const named = CONTENDERS.filter(({ name }) => name === 'bare' || isChosen(chosen.contender, name));
  return [['chosen', named]];
}

async function run(): Promise<void> {
  pinGenerator();
  for (const platform of ['express', 'fastify'] satisfies Platform[]) {
    if (!isChosen(values.platform, platform)) continue;
    for (const [group, contenders] of chosenGroups()) {
      for (const scenario of SCENARIOS.filter(({ name }) => isChosen(chosen.scenario, name))) {
        const partakers = contenders.filter(
          ({ platforms, scenarios }) =>
            platforms.includes(platform) && (scenarios?.includes(scenario.name) ?? true),
        );
        const samples = await measure(partakers, platform, scenario, effort());
        const at = new Date().toISOString();
        const result: ScenarioResult = { group, platform, scenario: scenario.name, at, samples };
        if (values.keep) keepResult(result);
        print(scenario.label, result);
      }
    }
  }
}

function print(label: string, result: ScenarioResult): void {
  console.log(`\n${label} (${result.platform})`);
  console.table(
    Object.fromEntries(
      linesOf(result).map((line) => [
        line.contender,
        {
          'requests/s': Math.round(line.requestsPerSecond),
          '÷ bare': line.speedRatio.toFixed(2),
          'CPU µs/request': Math.round(line.cpu),
          'bare ÷ CPU': line.ratio.median.toFixed(2),
          spread: `${line.ratio.low.toFixed(2)} to ${line.ratio.high.toFixed(2)}`,
          'p50 ms': line.p50.toFixed(2),
          'p50 ÷ bare': line.latencyRatio.toFixed(2),
        },
      ]),
    ),
  );
}

if (values.help) console.log(USAGE);
else await run();
