import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Samples } from './measure.js';
import type { Platform } from './servers/application.js';
import { median, quantile } from './statistics.js';

/** What has been measured of one scenario on one platform, of the contenders of one group. */
export interface ScenarioResult {
  /** Name of the group; `chosen`: contenders that were named one by one. */
  readonly group: string;
  readonly platform: Platform;
  readonly scenario: string;
  /** ISO 8601. */
  readonly at: string;
  readonly samples: Samples;
}

/** A quotient of two contenders' server CPU of a request, round by round. */
export interface Ratio {
  readonly median: number;
  /** Quartiles. */
  readonly low: number;
  readonly high: number;
}

/** A contender in a table. Ratios are the bare app's figure ÷ the contender's: 1 is free, 0.5 is twice the cost. */
export interface Line {
  readonly contender: string;
  readonly requestsPerSecond: number;
  readonly cpu: number;
  readonly p50: number;
  readonly ratio: Ratio;
  /** Ratio of requests per second, contender ÷ bare. */
  readonly speedRatio: number;
  /** Ratio of the median times of a request, contender ÷ bare. */
  readonly latencyRatio: number;
}

const FILE = join(import.meta.dirname, '../results.json');

export function loadResults(): ScenarioResult[] {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as ScenarioResult[]) : [];
}

/** Takes the place of what was measured of the same before. */
export function keepResult(result: ScenarioResult): void {
  const isSame = ({ group, platform, scenario }: ScenarioResult): boolean =>
    group === result.group && platform === result.platform && scenario === result.scenario;
  const others = loadResults().filter((one) => !isSame(one));
  writeFileSync(FILE, JSON.stringify([...others, result]));
}

/** Server CPU of one ÷ that of the other. `null` where one of them was not measured. */
export function ratioOf({ samples }: ScenarioResult, one: string, other: string): Ratio | null {
  const [ones, others] = [samples[one], samples[other]];
  if (ones === undefined || others === undefined) return null;
  const ratios = others.map((sample, round) => (ones[round]?.cpu ?? NaN) / sample.cpu);
  return { median: median(ratios), low: quantile(ratios, 0.25), high: quantile(ratios, 0.75) };
}

/** Median time of a request of one ÷ that of the other. `null` where one of them was not measured. */
export function latencyRatioOf({ samples }: ScenarioResult, one: string, other: string): number | null {
  const [ones, others] = [samples[one], samples[other]];
  if (ones === undefined || others === undefined) return null;
  return median(ones.map(({ p50 }, round) => p50 / (others[round]?.p50 ?? NaN)));
}

export function linesOf(result: ScenarioResult): Line[] {
  const bare = result.samples['bare'] ?? [];
  return Object.entries(result.samples).map(([contender, own]) => ({
    contender,
    requestsPerSecond: median(own.map((sample) => sample.requestsPerSecond)),
    cpu: median(own.map((sample) => sample.cpu)),
    p50: median(own.map((sample) => sample.p50)),
    ratio: ratioOf(result, 'bare', contender) ?? { median: NaN, low: NaN, high: NaN },
    speedRatio: median(
      own.map((sample, round) => sample.requestsPerSecond / (bare[round]?.requestsPerSecond ?? NaN)),
    ),
    latencyRatio: latencyRatioOf(result, contender, 'bare') ?? NaN,
  }));
}
