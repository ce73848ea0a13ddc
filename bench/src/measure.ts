import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Contender } from './contenders.js';
import { LoadGenerator } from './load.js';
import { type Prepared, type Scenario, signIn } from './scenarios.js';
import { ServerProcess } from './server-process.js';
import type { Platform } from './servers/application.js';
import { median } from './statistics.js';

/** Connections to a server at once. */
const CONNECTIONS = 32;

/** So often at most as long as asked for, where requests are slow. */
const LONGEST_WARM_UP = 4;

/** One measurement of one contender. */
export interface Sample {
  /** Server CPU of a request, in microseconds. */
  readonly cpu: number;
  readonly requestsPerSecond: number;
  /** Median time of a request, in milliseconds. */
  readonly p50: number;
}

/** Samples by contender, one a round: the nth of one and the nth of another were measured right after each other. */
export type Samples = Record<string, Sample[]>;

export interface Effort {
  /** How often each server is started anew: one process may be slower than the next that runs the same code. */
  readonly starts: number;
  /** Of each start. */
  readonly rounds: number;
  /** Milliseconds of one measurement. */
  readonly duration: number;
  /** Milliseconds of load before the first one, */
  readonly warmUp: number;
  /** and how many requests there have to be in it: a slow machine is given up to four times as long. */
  readonly warmRequests: number;
  /** Milliseconds of load that is not measured before each one. */
  readonly leadIn: number;
  /** Folder for CPU profiles of the measured time. Sampling costs time itself. */
  readonly profiles?: string;
}

/** A server under load. */
class Subject {
  private constructor(
    readonly contender: Contender,
    private readonly scenario: Scenario,
    private readonly server: ServerProcess,
    private readonly load: LoadGenerator,
  ) {}

  private prepared: Prepared = { cookies: [] };

  static async start(
    contender: Contender,
    platform: Platform,
    scenario: Scenario,
    folder: string,
  ): Promise<Subject> {
    const table = `bench_${process.pid}_${contender.name}_${scenario.name}`.replaceAll('-', '_');
    const settings = {
      contender: contender.name,
      platform,
      folder,
      table,
      touches: scenario.touches ?? false,
    };
    const server = await ServerProcess.start(settings);
    const load = new LoadGenerator(server.origin, scenario.connections ?? CONNECTIONS);
    return new Subject(contender, scenario, server, load);
  }

  async warmUp({ warmUp, warmRequests }: Effort): Promise<void> {
    let requests = 0;
    for (let times = 0; times === 0 || (times < LONGEST_WARM_UP && requests < warmRequests); times++) {
      const { requestsPerSecond } = await this.measure(warmUp, 0);
      requests += (requestsPerSecond * warmUp) / 1000;
    }
  }

  async measure(duration: number, leadIn: number): Promise<Sample> {
    await this.prepare(duration);
    await this.wake(leadIn);
    const before = await this.server.usage();
    const { requests, elapsed, latencies } = await this.scenario.run(
      this.load,
      this.prepared,
      performance.now() + duration,
    );
    const after = await this.server.usage();
    return {
      cpu: (after.cpu - before.cpu) / requests,
      requestsPerSecond: (1000 * requests) / elapsed,
      p50: median(latencies),
    };
  }

  /**
   * A virtual machine may take memory from processes that are idle while others are measured, and take a second to give
   * it back. Signing in has been load enough.
   */
  private async wake(leadIn: number): Promise<void> {
    if (this.scenario.isConsuming || leadIn === 0) return;
    await this.scenario.run(this.load, this.prepared, performance.now() + leadIn);
  }

  private async prepare(duration: number): Promise<void> {
    const { scenario } = this;
    if (this.prepared.cookies.length > 0 && !scenario.isConsuming) return;
    const cookies: string[] = [];
    let left = scenario.sessions(duration);
    const worker = async (): Promise<void> => {
      while (left-- > 0) cookies.push((await this.load.send(signIn(scenario.bytes))) ?? 'none=1');
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    this.prepared = { cookies };
  }

  startProfile(): Promise<void> {
    return this.server.startProfile();
  }

  keepProfile(folder: string, platform: Platform): Promise<void> {
    const name = `${this.scenario.name}-${platform}-${this.contender.name}.cpuprofile`;
    return this.server.keepProfile(resolve(folder, name));
  }

  async stop(): Promise<void> {
    await this.load.close();
    await this.server.stop();
  }
}

/** Measures contenders in turns: every round each of them once, in an order that moves on. */
export async function measure(
  contenders: readonly Contender[],
  platform: Platform,
  scenario: Scenario,
  effort: Effort,
): Promise<Samples> {
  const samples: Samples = {};
  for (let start = 0; start < effort.starts; start++) {
    const folder = await mkdtemp(join(tmpdir(), 'nest-sessions-bench-'));
    const subjects: Subject[] = [];
    try {
      for (const contender of contenders) {
        subjects.push(await Subject.start(contender, platform, scenario, folder));
      }
      await measureInTurns(subjects, samples, platform, effort);
    } finally {
      await Promise.allSettled(subjects.map((subject) => subject.stop()));
      await rm(folder, { recursive: true, force: true });
    }
  }
  return samples;
}

async function measureInTurns(
  subjects: readonly Subject[],
  samples: Samples,
  platform: Platform,
  effort: Effort,
): Promise<void> {
  const { rounds, duration, leadIn, profiles } = effort;
  for (const subject of subjects) await subject.warmUp(effort);
  if (profiles !== undefined) for (const subject of subjects) await subject.startProfile();
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < subjects.length; i++) {
      const subject = subjects[(i + round) % subjects.length];
      if (subject) (samples[subject.contender.name] ??= []).push(await subject.measure(duration, leadIn));
    }
  }
  if (profiles !== undefined) for (const subject of subjects) await subject.keepProfile(profiles, platform);
}
