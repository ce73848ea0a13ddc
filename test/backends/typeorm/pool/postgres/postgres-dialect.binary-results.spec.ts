import { TypeOrmSessionBackend } from '../../../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionOptionsError } from '../../../../../src/core/session-errors.js';
import { onEachDatabase, openDatabase, type TestDatabase } from '../../../../support/databases.js';
import { OPTIONS } from '../../support/open-backend.js';

onEachDatabase('`binary: true` of `pg`', ['postgres'], (kind) => {
  let database: TestDatabase;
  beforeEach(async () => (database = await openDatabase(kind)));
  afterEach(() => database.drop());

  it.each(['own', 'shared'])('is refused before anything is stored: %s pool', async (pool) => {
    const extra = { binary: true };
    const source = pool === 'own' ? { ...database.options(), extra } : await database.open({ extra });
    const backend = new TypeOrmSessionBackend(source, OPTIONS);
    await expect(backend.init()).rejects.toThrow(SessionOptionsError);
    await expect(backend.init()).rejects.toThrow(
      '`dataSource`: expected results of `pg` as text, got `binary: true`',
    );
    const admin = await database.open();
    expect(await admin.query("SELECT to_regclass('sessions') AS found")).toEqual([{ found: null }]);
    await backend.close();
  });
});
