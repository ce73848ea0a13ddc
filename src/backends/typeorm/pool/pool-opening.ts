import { DataSource, type DataSourceOptions, type QueryRunner } from 'typeorm';
import { withTimeout } from '../../../core/timeout.js';
import { handleErrorsOfPool } from './connection-errors.js';
import { DatabaseFailure } from './database-failure.js';

/**
 * One attempt to open a pool. TypeORM asks its first connection what the server is, and waits for the answer for ever: here
 * the connection is ended when the time is up, so that the next attempt may do better.
 */
export class PoolOpening {
  /** The pool, open. Rejects with a `DatabaseFailure` when it cannot be opened, or is given up. */
  readonly result: Promise<DataSource>;
  readonly #discard: (connection: unknown) => void;
  /** What stands for the connections that have been asked something. */
  readonly #runners: QueryRunner[] = [];
  #isGivenUp = false;
  #fail: (failure: DatabaseFailure) => void = () => undefined;

  /**
   * @param patience milliseconds until the attempt is given up
   * @param discard takes a connection out of the pool, and ends it
   */
  constructor(options: DataSourceOptions, patience: number, discard: (connection: unknown) => void) {
    this.#discard = discard;
    const open = (): Promise<DataSource> =>
      new Promise((resolve, reject) => {
        this.#fail = reject;
        this.#open(options).then((dataSource) => {
          if (this.#isGivenUp) void dataSource.destroy().catch(() => undefined);
          else resolve(dataSource);
        }, reject);
      });
    this.result = withTimeout(open, patience, () => {
      this.#giveUp();
      throw new DatabaseFailure(
        '',
        `the server has not answered within ${patience} ms, while the pool was opened`,
      );
    });
  }

  /** Ends the pool, or the attempt to open it. */
  async close(): Promise<void> {
    this.#giveUp();
    this.#fail(new DatabaseFailure('', 'the backend is closed')); // unless it is open
    const dataSource = await this.result.catch(() => null);
    await dataSource?.destroy();
  }

  async #open(options: DataSourceOptions): Promise<DataSource> {
    const dataSource = new DataSource(options);
    try {
      await this.#watched(dataSource, () => dataSource.initialize());
    } catch (error) {
      // TypeORM leaves the pool open; there is none where the first connection failed.
      void dataSource.driver.disconnect().catch(() => undefined);
      throw DatabaseFailure.of(error);
    }
    handleErrorsOfPool(dataSource);
    return dataSource;
  }

  /** Keeps what the driver makes to ask the server something, as long as the work goes on. */
  async #watched<T>({ driver }: DataSource, work: () => Promise<T>): Promise<T> {
    const create = driver.createQueryRunner.bind(driver);
    driver.createQueryRunner = (mode) => {
      const runner = create(mode);
      this.#runners.push(runner);
      return runner;
    };
    try {
      return await work();
    } finally {
      driver.createQueryRunner = create;
      this.#runners.length = 0;
    }
  }

  /** Ends the connections that have been asked something and have not answered. With `mysql2` what waits for them waits on. */
  #giveUp(): void {
    this.#isGivenUp = true;
    for (const runner of this.#runners) {
      runner.connect().then(
        (connection: unknown) => this.#discard(connection),
        () => undefined, // there will be none
      );
    }
  }
}
