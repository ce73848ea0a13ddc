import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Samples } from './measure.js';
import type { Platform } from './servers/application.js';
import { median, quantile } from './statistics.js';

/** What has been measured of one scenario on one platform. */
export interface ScenarioResult {
  readonly platform: Platform;
  readonly scenario: string;
  /** ISO 8601. */
  readonly at: string;
  readonly samples: Samples;
}

/** A line of the table. Ratios are the bare app's figure ÷ the contender's, round by round: 1 is free, 0.5 is twice the cost. */
export interface Line {
  readonly contender: string;
  readonly requestsPerSecond: number;
  readonly cpu: number;
  readonly p50: number;
  readonly ratio: number;
  /** Quartiles of the ratio. */
  readonly low: number;
  readonly high: number;
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
  const others = loadResults().filter(
    ({ platform, scenario }) => platform !== result.platform || scenario !== result.scenario,
  );
  writeFileSync(FILE, JSON.stringify([...others, result]));
}

export function linesOf({ samples }: ScenarioResult): Line[] {
  const bare = samples['bare'] ?? [];
  return Object.entries(samples).map(([contender, own]) => {
    const ratios = own.map((sample, round) => (bare[round]?.cpu ?? NaN) / sample.cpu);
    return {
      contender,
      requestsPerSecond: median(own.map((sample) => sample.requestsPerSecond)),
      cpu: median(own.map((sample) => sample.cpu)),
      p50: median(own.map((sample) => sample.p50)),
      ratio: median(ratios),
      low: quantile(ratios, 0.25),
      high: quantile(ratios, 0.75),
      speedRatio: median(
        own.map((sample, round) => sample.requestsPerSecond / (bare[round]?.requestsPerSecond ?? NaN)),
      ),
      latencyRatio: median(own.map((sample, round) => sample.p50 / (bare[round]?.p50 ?? NaN))),
    };
  });
}
