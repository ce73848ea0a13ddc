import { setImmediate as turn } from 'node:timers/promises';
import type { SeededRandom } from '../../core/support/random.js';

/** What a step that waits is told: to go on, or that the connection has broken. */
export type Signal = 'go' | 'break';

interface Gate {
  readonly label: string;
  readonly canBreak: boolean;
  readonly open: (signal: Signal) => void;
}

/** Something that may happen next, beside the steps that wait. */
export interface Choice {
  readonly label: string;
  readonly start: () => void;
}

/** Turns of the event loop without news after which everything waits that can wait. */
const QUIET_TURNS = 2;

/** Lets one thing happen at a time, chosen by a seeded generator: the only source of order in a schedule. */
export class Scheduler {
  /** How many things have happened so far. */
  step = 0;
  readonly trace: string[] = [];
  /** What went wrong first. */
  violation: string | null = null;
  /** From now on nothing waits and nothing breaks. */
  isFree = false;
  #isOver = false;
  #waiting: Gate[] = [];
  #news = 0;

  constructor(
    private readonly random: SeededRandom,
    /** How often a step that can break does. */
    private readonly breakRate: number,
  ) {}

  /** Waits until it is chosen. */
  gate(label: string, canBreak = false): Promise<Signal> {
    this.noteNews();
    if (this.#isOver) return Promise.resolve('break');
    if (this.isFree) return Promise.resolve('go');
    return new Promise((open) => this.#waiting.push({ label, canBreak, open }));
  }

  /** Something went on, so something else may too. */
  noteNews(): void {
    this.#news++;
  }

  fail(violation: string): void {
    this.violation ??= `step ${this.step}: ${violation}`;
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0;
  }

  /** One thing happens, and all that follows from it without another choice. */
  async next(choices: readonly Choice[]): Promise<void> {
    const chosen = this.random.integer(0, this.#waiting.length + choices.length - 1);
    this.step++;
    const [gate] = chosen < this.#waiting.length ? this.#waiting.splice(chosen, 1) : [];
    if (gate === undefined) {
      const choice = choices[chosen - this.#waiting.length];
      this.trace.push(`${this.step} ${choice?.label}`);
      choice?.start();
    } else {
      const signal = gate.canBreak && this.random.chance(this.breakRate) ? 'break' : 'go';
      this.trace.push(`${this.step} ${gate.label}${signal === 'go' ? '' : ' — breaks'}`);
      gate.open(signal);
    }
    await this.settle();
  }

  /** Resolves when everything waits. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      const before = this.#news;
      await turn();
      if (this.#news !== before) quiet = -1;
    }
  }

  /** From now on everything goes on at once. */
  async release(): Promise<void> {
    this.isFree = true;
    for (const gate of this.#waiting.splice(0)) gate.open('go');
    await this.settle();
  }

  /** Everything that is still under way breaks, so that nothing is left behind. */
  async abandon(): Promise<void> {
    this.#isOver = true;
    for (const gate of this.#waiting.splice(0)) gate.open('break');
    await this.settle();
  }
}
