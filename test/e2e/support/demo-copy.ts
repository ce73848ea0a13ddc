import { spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { RunningDemo } from './running-demo.js';

const REPOSITORY = process.cwd();
/** What `npm start` reads. */
const SOURCES = ['src', 'demo', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'nest-cli.json'];
const SESSIONS = 'sessions.sqlite';
const HOUR = 3_600_000;

/**
 * A copy of the repository in a folder of its own, so that `npm start` is run as it is and other specs keep their
 * `dist`. Data goes to a second folder.
 */
export class DemoCopy {
  readonly #folder = realpathSync(mkdtempSync(join(tmpdir(), 'demo-of-nest-sessions-')));
  readonly #root = join(this.#folder, 'repository');
  readonly #running = new Set<RunningDemo>();

  constructor() {
    for (const name of SOURCES) {
      cpSync(join(REPOSITORY, name), join(this.#root, name), {
        recursive: true,
        filter: (path) => !/[\\/]demo[\\/]\.(build|data)$/.test(path),
      });
    }
    symlinkSync(join(REPOSITORY, 'node_modules'), join(this.#root, 'node_modules'), 'dir');
  }

  /** A file among the demo's data. */
  data(name = ''): string {
    return join(this.#folder, 'data', name);
  }

  /** All bytes of the database for sessions, its write-ahead log included. */
  storedSessions(): Buffer {
    const files = readdirSync(this.data()).filter((name) => name.startsWith(SESSIONS));
    return Buffer.concat(files.map((name) => readFileSync(this.data(name))));
  }

  /** Moves every sign-in into the past, as if that much time had gone by since. */
  ageSignIns(minutes: number): Promise<void> {
    return this.#change('authenticated_at = authenticated_at - ?', minutes * 60_000);
  }

  /** Moves every rotation into the past, with the time for which the replaced token is served. */
  ageTokens(seconds: number): Promise<void> {
    const past = '- ?1';
    return this.#change(
      `token_issued_at = token_issued_at ${past}, grace_until = grace_until ${past}`,
      seconds * 1000,
    );
  }

  /** Moves the last use of every session into the past, and the idle expiry with it. */
  ageUse(hours: number): Promise<void> {
    const past = '- ?1';
    return this.#change(
      `last_active_at = last_active_at ${past}, expires_at = expires_at ${past}`,
      hours * HOUR,
    );
  }

  /** When a user's sessions were used last, as epoch milliseconds. */
  async lastUseOf(userId: string): Promise<number[]> {
    const rows = await this.#query('SELECT last_active_at AS at FROM sessions WHERE user_id = ?', [userId]);
    return (rows as { at: number }[]).map(({ at }) => at);
  }

  /** Puts something else in the place of that database; gives the way to bring it back. */
  hideSessions(): () => void {
    const [file, elsewhere] = [this.data(SESSIONS), this.data('elsewhere')];
    renameSync(file, elsewhere);
    mkdirSync(file);
    return () => {
      rmdirSync(file);
      renameSync(elsewhere, file);
    };
  }

  /** Builds and starts it as a user does. */
  npmStart(): Promise<RunningDemo> {
    return this.#run('npm', ['start']);
  }

  /** Starts what `npmStart` has built. */
  start(port: number | string = 0, environment: Readonly<Record<string, string>> = {}): Promise<RunningDemo> {
    return this.#run(process.execPath, ['demo/.build/main.js'], port, environment);
  }

  /** Stops what still runs, and removes everything. */
  async remove(): Promise<void> {
    await Promise.all([...this.#running].map((demo) => demo.stop()));
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #change(assignments: string, milliseconds: number): Promise<void> {
    await this.#query(`UPDATE sessions SET ${assignments}`, [milliseconds]);
  }

  async #query(statement: string, values: readonly unknown[]): Promise<unknown> {
    const database = await new DataSource({ type: 'sqlite', database: this.data(SESSIONS) }).initialize();
    const result: unknown = await database.query(statement, [...values]);
    await database.destroy();
    return result;
  }

  async #run(
    command: string,
    args: readonly string[],
    port: number | string = 0,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<RunningDemo> {
    const env = { ...process.env, PORT: String(port), DEMO_DATA: this.data(), NO_COLOR: '1', ...environment };
    // A process group of its own: what npm starts is stopped with it.
    const child = spawn(command, args, { cwd: this.#root, env, detached: true });
    const demo = new RunningDemo(child);
    this.#running.add(demo);
    await demo.ready;
    return demo;
  }
}
