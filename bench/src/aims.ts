import { latencyRatioOf, ratioOf, type ScenarioResult } from './results.js';
import type { ScenarioName } from './scenarios.js';
import type { Platform } from './servers/application.js';
import { median } from './statistics.js';

/** A quotient of server CPU that was aimed at. */
interface Aim {
  readonly scenario: ScenarioName;
  /** Whose server CPU is divided. */
  readonly of: string;
  /** Into whose it is divided: ours. */
  readonly by: string;
  /** The least quotient, by platform. */
  readonly least: Partial<Record<Platform, number>>;
}

/** Aims of this project, set before they were measured, on another machine. */
const AIMS: readonly Aim[] = [
  aim('read', 'floor-sqlite3', 'ours-sqlite3', 1, 1.1),
  aim('write', 'floor-sqlite3', 'ours-sqlite3', 0.95, 0.9),
  aim('read', 'floor-better-sqlite3', 'ours-better-sqlite3', 0.88, 0.97),
  aim('write', 'floor-better-sqlite3', 'ours-better-sqlite3', 1.2, 1.2),
  aim('read', 'floor-postgres', 'ours-postgres', 1.25, 1.15),
  aim('write', 'floor-postgres', 'ours-postgres', 1, 1),
  aim('read', 'floor-mariadb', 'ours-mariadb', 1.2, 1.1),
  aim('write', 'floor-mariadb', 'ours-mariadb', 1, 1),
  aim('read', 'express-session', 'ours-sqlite3', 1.2),
  aim('read', 'express-session', 'ours-better-sqlite3', 1.4),
  aim('read', 'express-session', 'ours-postgres', 1.3),
  aim('write', 'express-session', 'ours-sqlite3', 0.95),
  aim('write', 'express-session', 'ours-better-sqlite3', 1),
  aim('write', 'express-session', 'ours-postgres', 0.95),
  aim('read', 'connect-pg-simple', 'ours-postgres', 2),
  aim('write', 'connect-pg-simple', 'ours-postgres', 1.6),
  aim('read', 'connect-typeorm', 'ours-sqlite3', 5),
  aim('write', 'connect-typeorm', 'ours-sqlite3', 5),
  aim('read', 'connect-redis', 'ours-redis', 1),
  aim('write', 'connect-redis', 'ours-redis', 0.87),
  aim('read', 'ours-memory', 'ours-redis', 0.91),
];

/** Median time of a read at one connection, as a multiple of the floor's, at most. */
const LATENCY_AIM = 1.3;

/** Server CPU of a sign-in, as a multiple of that of a write, at most: it keeps the limit, and is one durable transaction. */
const SIGN_IN_AIM = 2;

const DRIVERS = ['sqlite3', 'better-sqlite3', 'postgres', 'mariadb'] as const;

function aim(scenario: ScenarioName, of: string, by: string, express: number, fastify?: number): Aim {
  return { scenario, of, by, least: fastify === undefined ? { express } : { express, fastify } };
}

/**
 * A line for each aim, as cells: what was measured, and figure and aim for each platform. In bold where the aim is reached.
 *
 * @param labelOf how a contender or a scenario is called
 */
export function aimLines(results: readonly ScenarioResult[], labelOf: (name: string) => string): string[][] {
  const onEach = (scenario: ScenarioName, cell: (result: ScenarioResult) => string): string[] =>
    (['express', 'fastify'] as const).map((platform) => {
      const own = results.filter((one) => one.platform === platform && one.scenario === scenario);
      return own.map(cell).find((text) => text !== '') ?? '';
    });
  const ratios = AIMS.map(({ scenario, of, by, least }) => [
    `${labelOf(scenario)}: ${labelOf(of)} ÷ ${labelOf(by)}`,
    ...onEach(scenario, (result) => {
      const [wanted, got] = [least[result.platform], ratioOf(result, of, by)];
      if (wanted === undefined || got === null) return '';
      return cellOf(got.median, got.median >= wanted, `≥ ${wanted}`);
    }),
  ]);
  const latencies = DRIVERS.map((driver) => {
    const [ours, floor] = [`ours-${driver}`, `floor-${driver}`];
    return [
      `${labelOf('latency')}: p50 of ${labelOf(ours)} ÷ ${labelOf(floor)}`,
      ...onEach('latency', (result) => {
        const got = latencyRatioOf(result, ours, floor);
        return got === null ? '' : cellOf(got, got <= LATENCY_AIM, `≤ ${LATENCY_AIM}`);
      }),
    ];
  });
  const signIns = DRIVERS.map((driver) => {
    const ours = `ours-${driver}`;
    return [
      `${labelOf('sign-in')} ÷ ${labelOf('write')}: ${labelOf(ours)}`,
      ...onEach('sign-in', ({ group, platform, samples }) => {
        const write = results.find(
          (one) => one.group === group && one.platform === platform && one.scenario === 'write',
        );
        if (write === undefined || samples[ours] === undefined) return '';
        const [dear = NaN, cheap = NaN] = [{ samples }, write].map((one) => cpuOf(one, ours));
        return cellOf(dear / cheap, dear / cheap <= SIGN_IN_AIM, `≤ ${SIGN_IN_AIM}`);
      }),
    ];
  });
  return [...ratios, ...latencies, ...signIns];
}

/** Microseconds of server CPU of a request, as the median of the rounds. */
function cpuOf({ samples }: Pick<ScenarioResult, 'samples'>, contender: string): number | undefined {
  const own = samples[contender];
  return own && median(own.map(({ cpu }) => cpu));
}

function cellOf(got: number, isReached: boolean, wanted: string): string {
  const figure = got.toFixed(2);
  return `${isReached ? `**${figure}**` : figure} (${wanted})`;
}
