import type { LoggerService } from '@nestjs/common';

interface Line {
  readonly level: 'warn' | 'error';
  readonly context: string;
  readonly message: string;
}

/** Keeps what an app logs as warning or error. */
export class RecordingLog implements LoggerService {
  readonly lines: Line[] = [];

  log(): void {}
  debug(): void {}
  verbose(): void {}

  warn(message: unknown, ...rest: unknown[]): void {
    this.#keep('warn', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.#keep('error', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.#keep('error', message, rest);
  }

  /** Errors that this library logged. */
  get sessionErrors(): string[] {
    return this.#ofSessions('error');
  }

  get sessionWarnings(): string[] {
    return this.#ofSessions('warn');
  }

  #ofSessions(level: Line['level']): string[] {
    return this.lines
      .filter((line) => line.level === level && line.context === 'Sessions')
      .map((line) => line.message);
  }

  #keep(level: Line['level'], message: unknown, rest: readonly unknown[]): void {
    const context = rest.at(-1);
    const isNamed = typeof context === 'string';
    this.lines.push({ level, context: isNamed ? context : '', message: String(message) });
  }
}
