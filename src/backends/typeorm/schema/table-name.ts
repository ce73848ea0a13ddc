import { describeValue } from '../../../core/describe-value.js';
import { SessionOptionsError } from '../../../core/session-errors.js';

const TABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

/** @throws SessionOptionsError unless it is a plain identifier, which needs no escaping anywhere */
export function checkTableName(tableName: string): void {
  if (typeof tableName === 'string' && TABLE_NAME.test(tableName)) return;
  throw new SessionOptionsError(
    '`tableName`: expected letters, digits and underscores, no digit first, at most 63 characters, ' +
      `got ${describeValue(tableName)}`,
  );
}
