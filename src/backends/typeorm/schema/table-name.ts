import type { DataSourceOptions } from 'typeorm';
import { describeValue } from '../../../core/describe-value.js';
import { SessionOptionsError } from '../../../core/session-errors.js';

/**
 * Checks the option `tableName`.
 *
 * @throws SessionOptionsError unless it is a plain identifier, which needs no escaping anywhere
 */
export function checkTableName(tableName: string): void {
  if (typeof tableName === 'string' && TABLE_NAME.test(tableName)) return;
  throw new SessionOptionsError(
    '`tableName`: expected letters, digits and underscores, no digit first, at most 63 characters, ' +
      `got ${describeValue(tableName)}`,
  );
}

const TABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

/** The name of the table, behind that of the schema that the options of the data source name. */
export function tablePath(options: DataSourceOptions, tableName: string): readonly string[] {
  const schema = options.type === 'postgres' ? options.schema : undefined;
  return schema === undefined ? [tableName] : [schema, tableName];
}
