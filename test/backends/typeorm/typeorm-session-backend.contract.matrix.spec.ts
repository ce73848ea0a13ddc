import type { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../src/backends/typeorm/typeorm-session-backend.js';
import { describeSessionBackend } from '../../../src/testing/describe-session-backend.js';
import { DATABASE_KINDS, onEachDatabase, openDatabase, type TestDatabase } from '../../support/databases.js';
import { OPTIONS } from './support/open-backend.js';

onEachDatabase('TypeOrmSessionBackend', DATABASE_KINDS, (kind) => {
  let database: TestDatabase;
  let app: DataSource;
  let tables = 0;
  /** An empty table, since it takes a while to make a database. */
  const newTable = () => ({ ...OPTIONS, tableName: `sessions_${++tables}` });

  beforeAll(async () => {
    database = await openDatabase(kind);
    app = await database.open();
  });
  afterAll(() => database.drop());

  describeSessionBackend("on the app's data source", () => {
    const table = newTable();
    return [new TypeOrmSessionBackend(app, table), new TypeOrmSessionBackend(app, table)];
  });

  describeSessionBackend('on options', () => {
    const table = newTable();
    const open = () => new TypeOrmSessionBackend(database.options(), table);
    return [open(), open()];
  });
});
