import { type Clock, SessionModule, SessionStore } from 'nest-sessions';
import { ManualClock } from 'nest-sessions/testing';
import { SystemClock } from '../../src/core/clock.js';
import { onEachDatabase, openDatabase, type TestDatabase } from '../support/databases.js';
import { closeApps, KEY, RecordingLogger } from '../support/nest-app.js';
import { healthOf, startWithHealth } from './support/health-app.js';

/** The clock of a machine that is by so many milliseconds ahead. */
class ClockAhead extends SystemClock {
  constructor(readonly by: number) {
    super();
  }

  override now(): number {
    return super.now() + this.by;
  }
}

onEachDatabase('the clock of an app', ['sqlite', 'postgres', 'mariadb'], (kind) => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await openDatabase(kind);
  });
  afterEach(async () => {
    await closeApps();
    await database.drop();
  });

  /** A replica of the app with that clock: what its health page says, and its log at startup. */
  async function replica(clock: Clock) {
    const logger = new RecordingLogger();
    const sessions = SessionModule.forRoot({ key: KEY, dataSource: database.options(), clock });
    const app = await startWithHealth({ imports: [sessions], logger });
    await app.get(SessionStore).manager.drain();
    return { ...(await healthOf(app)), log: logger.about('The clock of this process') };
  }

  /** SQLite has no clock but that of the machine, so there is nothing to compare. */
  const isCompared = kind !== 'sqlite';

  it('that is right is nothing to speak of', async () => {
    const { status, sessions, log } = await replica(new SystemClock());
    expect([status, sessions?.['warnings'], log]).toEqual([200, undefined, []]);
  });

  it('that is 2 s ahead is a warning, in health and once in the log at startup', async () => {
    const { status, sessions, log } = await replica(new ClockAhead(2_000));
    expect([status, sessions?.['warnings']]).toEqual([200, isCompared ? ['clock'] : undefined]);
    expect(log).toEqual(
      isCompared ? [expect.stringMatching(/ is (1\.[6-9]|2\.[0-4]) s ahead of that of/)] : [],
    );
  });

  it('that is 31 s ahead, of two replicas, makes that one unhealthy', async () => {
    const right = await replica(new SystemClock());
    const ahead = await replica(new ClockAhead(31_000));
    expect(right.status).toBe(200);
    expect([ahead.status, ahead.sessions?.['problems']]).toEqual(
      isCompared ? [503, ['clock']] : [200, undefined],
    );
    expect(ahead.log).toEqual(isCompared ? [expect.stringMatching(/ 3[01]\.\d s ahead /)] : []);
  });

  it('that a test sets is compared with none', async () => {
    const { status, sessions, log } = await replica(new ManualClock('2031-01-01'));
    expect([status, sessions?.['warnings'], log]).toEqual([200, undefined, []]);
  });
});
