import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../src/backends/typeorm/typeorm-session-backend.js';
import { describeSessionBackend } from '../../../src/testing/describe-session-backend.js';
import { OPTIONS } from './support/open-backend.js';

const named: DataSource[] = [];

afterEach(async () => {
  await Promise.all(named.splice(0).map((dataSource) => dataSource.destroy()));
});

describeSessionBackend('TypeOrmSessionBackend in memory', () => {
  const app = new DataSource({ type: 'sqlite', database: ':memory:' });
  const backend = new TypeOrmSessionBackend(app, OPTIONS);
  return [backend, backend]; // nobody else can open it
});

describeSessionBackend(
  'TypeOrmSessionBackend on a data source for sessions alone, another table',
  async () => {
    const dataSource = new DataSource({ type: 'sqlite', database: ':memory:' });
    named.push(await dataSource.initialize());
    const backend = new TypeOrmSessionBackend(dataSource, { ...OPTIONS, tableName: 'order', shared: false });
    return [backend, backend];
  },
);
