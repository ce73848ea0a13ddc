import { linesOf, type ScenarioResult } from './results.js';
import type { Sample } from './measure.js';
import type { ScenarioName } from './scenarios.js';
import type { Platform } from './servers/application.js';
import { median } from './statistics.js';

/** A figure of one platform that was aimed at, and what it is held against. */
interface Aim {
  readonly scenario: ScenarioName;
  readonly contender: string;
  /** Whose server CPU is divided by the contender's. */
  readonly against: string;
  /** The least ratio, by platform. */
  readonly least: Partial<Record<Platform, number>>;
}

/** Aims of this project, set before it was written, on another machine. */
const AIMS: readonly Aim[] = [
  aim('no-cookie', 'empty', 'bare', 0.93, 0.65),
  aim('no-cookie', 'ours-sqlite3', 'bare', 0.88, 0.6),
  aim('forged', 'ours-sqlite3', 'bare', 0.88, 0.6),
  aim('read', 'ours-sqlite3', 'bare', 0.82, 0.42),
  aim('read', 'ours-better-sqlite3', 'bare', 0.88, 0.5),
  aim('read', 'ours-postgres', 'bare', 0.72, 0.38),
  aim('write', 'ours-sqlite3', 'bare', 0.6, 0.3),
  aim('write', 'ours-better-sqlite3', 'bare', 0.75, 0.4),
  aim('write', 'ours-postgres', 'bare', 0.6, 0.3),
  aim('read', 'ours-sqlite3', 'express-session', 1.4),
  aim('write', 'ours-sqlite3', 'express-session', 1.1),
  aim('read', 'ours-sqlite3', 'connect-typeorm', 5),
  aim('write', 'ours-sqlite3', 'connect-typeorm', 5),
  aim('read', 'ours-postgres', 'connect-pg-simple', 2),
  aim('write', 'ours-postgres', 'connect-pg-simple', 1.7),
];

/** Median time of a read at one connection, as a multiple of the bare app's, at most. */
const LATENCY_AIM = 1.25;

function aim(
  scenario: ScenarioName,
  contender: string,
  against: string,
  express: number,
  fastify?: number,
): Aim {
  return { scenario, contender, against, least: fastify === undefined ? { express } : { express, fastify } };
}

/**
 * A line for each aim, as cells: what was measured, what it was divided into, and figure and aim for each platform. In bold
 * where the aim is reached.
 *
 * @param labelOf how a contender or a scenario is called
 */
export function aimLines(results: readonly ScenarioResult[], labelOf: (name: string) => string): string[][] {
  const onEach = (scenario: string, figure: (result: ScenarioResult) => string): string[] =>
    (['express', 'fastify'] as const).map((platform) => {
      const result = results.find((one) => one.platform === platform && one.scenario === scenario);
      return result ? figure(result) : '';
    });
  const ratios = AIMS.map(({ scenario, contender, against, least }) => [
    `${labelOf(scenario)}: ${labelOf(contender)}`,
    labelOf(against),
    ...onEach(scenario, ({ platform, samples }) => {
      const wanted = least[platform];
      if (wanted === undefined) return '';
      const got = ratioOf(samples, against, contender);
      return cell(got, got >= wanted, `≥ ${wanted}`);
    }),
  ]);
  const latencies = ['ours-sqlite3', 'ours-better-sqlite3', 'ours-postgres'].map((contender) => [
    `${labelOf('latency')}: p50 of ${labelOf(contender)} ÷ bare`,
    '',
    ...onEach('latency', (result) => {
      const got = linesOf(result).find((line) => line.contender === contender)?.latencyRatio ?? NaN;
      return cell(got, got <= LATENCY_AIM, `≤ ${LATENCY_AIM}`);
    }),
  ]);
  return [...ratios, ...latencies];
}

/** Server CPU of one ÷ that of the other, round by round. */
function ratioOf(samples: Readonly<Record<string, readonly Sample[]>>, one: string, other: string): number {
  const others = samples[other] ?? [];
  return median((samples[one] ?? []).map(({ cpu }, round) => cpu / (others[round]?.cpu ?? NaN)));
}

function cell(got: number, isReached: boolean, wanted: string): string {
  if (Number.isNaN(got)) return ''; // one of the two was not measured
  const figure = got.toFixed(2);
  return `${isReached ? `**${figure}**` : figure} (${wanted})`;
}
