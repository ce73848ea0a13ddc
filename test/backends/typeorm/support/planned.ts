import type { DataSource, EntityMetadata } from 'typeorm';
import { SessionEntity } from '../../../../src/backends/typeorm/schema/session.entity.js';

/** What TypeORM would do to the database to make it fit the entities, were `SessionEntity` one that it synchronizes. */
export async function planned(dataSource: DataSource, entity = SessionEntity): Promise<string[]> {
  const metadata: EntityMetadata = dataSource.getMetadata(entity);
  Object.assign(metadata, { synchronize: true });
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  return upQueries.map(({ query }) => query);
}
