import type { DataSource, EntityMetadata } from 'typeorm';
import { SessionEntity } from '../../../../src/backends/typeorm/session.entity.js';

/** What TypeORM would do to the database to make it fit the entities, were `SessionEntity` one that it synchronizes. */
export async function planned(dataSource: DataSource): Promise<string[]> {
  const metadata: EntityMetadata = dataSource.getMetadata(SessionEntity);
  Object.assign(metadata, { synchronize: true });
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  return upQueries.map(({ query }) => query);
}
