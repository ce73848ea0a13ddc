import type { DataSource, QueryRunner } from 'typeorm';
import { performance } from '../../../core/timers.js';
import { driverErrorOf } from '../driver-error.js';

/**
 * Tells the app's TypeORM logger of the statements on its pool what TypeORM's `query()` would (the `logging` and
 * `maxQueryExecutionTime` options), but for the values that they bind: hashes of tokens, sealed payloads, users.
 */
export class QueryLogger {
  readonly #dataSource: DataSource;
  readonly #runner: () => QueryRunner;

  /** @param runner what stands for the connection of the statement */
  constructor(dataSource: DataSource, runner: () => QueryRunner) {
    this.#dataSource = dataSource;
    this.#runner = runner;
  }

  /** Executes a statement and tells what came of it. */
  async log<T>(sql: string, bound: readonly unknown[], execute: () => Promise<T>): Promise<T> {
    const { logger, options } = this.#dataSource;
    const runner = this.#runner();
    const shown = bound.length === 0 ? undefined : ['[values]'];
    logger.logQuery(sql, shown, runner);
    const began = options.maxQueryExecutionTime ? performance.now() : 0;
    try {
      const result = await execute();
      const took = began === 0 ? 0 : Math.round(performance.now() - began);
      if (took > (options.maxQueryExecutionTime ?? 0)) logger.logQuerySlow(took, sql, shown, runner);
      return result;
    } catch (error) {
      logger.logQueryError(driverErrorOf(error).message, sql, shown, runner);
      throw error;
    }
  }
}
