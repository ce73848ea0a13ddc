import { KEY, OTHER_KEY, RecordingLogger, START } from '../../../core/support/open-store.js';
import { SessionStore } from '../../../../src/core/session-store.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { DATABASE_KINDS, onEachDatabase, openDatabase } from '../../../support/databases.js';
import { OPTIONS } from '../support/open-backend.js';

onEachDatabase('two apps with different keys in one table', DATABASE_KINDS, (kind) => {
  it('are told of once, by the one that starts beside sessions of the other; both stay healthy', async () => {
    const database = await openDatabase(kind);
    const logger = new RecordingLogger();
    const clock = new ManualClock(START);
    const open = (key: Buffer) =>
      new SessionStore(new TypeOrmSessionBackend(database.options(), OPTIONS), { key, clock }, logger);
    const [first, second] = [open(KEY), open(OTHER_KEY)];
    await first.initSchema();
    first.parts.keysInUse.watch();
    await first.manager.drain();
    expect(logger.warnings).toEqual([]);
    await first.create({}, 'ada');
    await second.initSchema();
    second.parts.keysInUse.watch();
    await second.manager.drain();
    expect(logger.warnings).toEqual([
      expect.stringMatching(
        `key ${first.parts.options.ring.keyIds[0]}, .*seals with ${second.parts.options.ring.keyIds[0]}\\..*\`tableName\``,
      ),
    ]);
    expect(await second.checkHealth()).toMatchObject({ healthy: true, warnings: [{ code: 'unknown-key' }] });
    expect(await first.checkHealth()).toMatchObject({ healthy: true, warnings: [] });
    expect(logger.warnings).toHaveLength(1);
    await Promise.all([first.close(), second.close()]);
    await database.drop();
  });
});
