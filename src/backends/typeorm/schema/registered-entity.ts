import { SessionOptionsError } from '../../../core/session-errors.js';
import { isDataSource, type SessionDataSource } from '../data-source.js';
import { isSessionEntity } from './session.entity.js';

/**
 * Refuses a data source whose entities of sessions are all of other tables than the one in use: what the app would read
 * there are no sessions of its own.
 *
 * @throws SessionOptionsError
 */
export function checkRegistered(dataSource: SessionDataSource, tableName: string): void {
  if (!isDataSource(dataSource) || !dataSource.isInitialized) return;
  const described = dataSource.entityMetadatas.filter(({ target }) => isSessionEntity(target));
  if (described.length === 0 || described.some((one) => one.tableName === tableName)) return;
  const names = described.map((one) => `${one.name}, of the table '${one.tableName}'`).join(', ');
  throw new SessionOptionsError(
    `\`tableName\`: sessions are in the table '${tableName}', but the entities of the data source have ${names}. ` +
      `Register sessionEntity('${tableName}') instead, or beside it if both are meant`,
  );
}
