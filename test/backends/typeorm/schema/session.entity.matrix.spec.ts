import { SessionEntity, sessionEntity } from 'nest-sessions';
import { DefaultNamingStrategy } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionOptionsError } from '../../../../src/core/session-errors.js';
import { row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import {
  DATABASE_KINDS,
  onEachDatabase,
  openDatabase,
  type TestDatabase,
} from '../../../support/databases.js';
import { OPTIONS } from '../support/open-backend.js';
import { planned } from '../support/planned.js';

/** As apps have them for tables, columns and indices of their own. */
class LoudNaming extends DefaultNamingStrategy {
  override tableName(targetName: string, given: string | undefined): string {
    return `tbl_${given ?? targetName}`;
  }

  override columnName(propertyName: string, given: string | undefined, prefixes: string[]): string {
    return `col_${super.columnName(propertyName, given ?? '', prefixes)}`;
  }

  override indexName(...given: Parameters<DefaultNamingStrategy['indexName']>): string {
    return `loud_${super.indexName(...given)}`;
  }
}

const SETTINGS = {
  'nothing else': {},
  entityPrefix: { entityPrefix: 'app_' },
  'a naming strategy': { namingStrategy: new LoudNaming() },
  both: { entityPrefix: 'app_', namingStrategy: new LoudNaming() },
};

onEachDatabase('the entity of a table of sessions', DATABASE_KINDS, (kind) => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await openDatabase(kind);
  });
  afterEach(() => database.drop());

  const backendOn = async (tableName: string, more: object = {}) =>
    new TypeOrmSessionBackend(await database.open(more), { ...OPTIONS, shared: false, tableName });

  describe.each(Object.entries(SETTINGS))('in a data source with %s', (_, settings) => {
    it.each([
      ['SessionEntity', SessionEntity, 'sessions'],
      ["sessionEntity('web_sessions')", sessionEntity('web_sessions'), 'web_sessions'],
    ])('%s reads the table in use, and TypeORM plans no change', async (_name, entity, tableName) => {
      const app = await database.open({ entities: [entity], ...settings });
      const backend = new TypeOrmSessionBackend(app, { ...OPTIONS, shared: false, tableName });
      expect((await planned(app, entity)).join('\n')).toMatch(
        new RegExp(`CREATE TABLE \\S*\\b${tableName}\\b`),
      );
      await backend.init();
      await backend.init();
      const stored = row('a', { tokenUsed: true, userId: 'Zoë' });
      await store(backend, stored, row('b'));
      expect(await planned(app, entity)).toEqual([]);
      const repository = app.getRepository(entity);
      expect(await repository.findOneByOrFail({ userId: 'Zoë' })).toMatchObject(stored);
      expect(await repository.countBy({ tokenUsed: true })).toBe(1);
      const query = repository
        .createQueryBuilder('s')
        .where('s.userId = :id', { id: kind === 'mariadb' ? Buffer.from('ada') : 'ada' });
      expect(await query.getCount()).toBe(1);
      await backend.close();
    });
  });

  it('is left alone by `synchronize`', async () => {
    const backend = await backendOn('web_sessions');
    await backend.init();
    await store(backend, row('a'));
    const entity = sessionEntity('web_sessions');
    const app = await database.open({ entities: [entity], entityPrefix: 'app_', synchronize: true });
    await app.synchronize();
    expect(await backend.find(['a'])).toEqual([row('a')]);
    expect(await planned(app, entity)).toEqual([]);
    await backend.close();
  });

  it('stands beside others in one data source', async () => {
    const entities = [SessionEntity, sessionEntity('web_sessions'), sessionEntity('Order')];
    const app = await database.open({ entities });
    for (const [index, tableName] of ['sessions', 'web_sessions', 'Order'].entries()) {
      const backend = await backendOn(tableName);
      await backend.init();
      await store(backend, row(`of-${index}`));
      await backend.close();
    }
    const ids = await Promise.all(entities.map((entity) => app.getRepository(entity).find()));
    expect(ids.map((rows) => rows.map(({ id }) => id))).toEqual([['of-0'], ['of-1'], ['of-2']]);
  });

  it('of another table than the one in use is refused, naming both, unless that one is there too', async () => {
    const wrong = await backendOn('web_sessions', { entities: [SessionEntity] });
    await expect(wrong.init()).rejects.toThrow(SessionOptionsError);
    await expect(wrong.init()).rejects.toThrow(
      "`tableName`: sessions are in the table 'web_sessions', but the entities of the data source have SessionEntity, of " +
        "the table 'sessions'. Register sessionEntity('web_sessions') instead, or beside it if both are meant",
    );
    const right = await backendOn('web_sessions', {
      entities: [SessionEntity, sessionEntity('web_sessions')],
    });
    await right.init();
    await store(right, row('a'));
  });
});

describe('sessionEntity', () => {
  it('gives the same class for the same name, SessionEntity for that of the default', () => {
    expect(sessionEntity('sessions')).toBe(SessionEntity);
    expect(sessionEntity('web')).toBe(sessionEntity('web'));
    expect(sessionEntity('web')).not.toBe(sessionEntity('Web'));
  });

  it('gives classes that are told apart by name, as repositories are in Nest', () => {
    expect([sessionEntity('web').name, sessionEntity('admin').name]).toEqual([
      'SessionEntity_web',
      'SessionEntity_admin',
    ]);
  });

  it.each(['', 'my-sessions', 'a.b', '1st', 'x"; DROP TABLE y', 'x'.repeat(64), undefined, null, 7])(
    'refuses %p as a name',
    (name) => {
      expect(() => sessionEntity(name as string)).toThrow(/^`tableName`: expected letters, digits/);
    },
  );
});
