import { Clock } from '../../src/core/clock.js';
import type { BackendHealth } from '../../src/core/session-backend.js';
import { SessionStore } from '../../src/core/session-store.js';
import { clockFinding } from '../../src/core/storage-health.js';
import { OpenMemoryBackend } from './support/backends.js';
import { KEY, openStore, RecordingLogger, START } from './support/open-store.js';

/** A storage that says of itself what a test wants. */
class TalkingBackend extends OpenMemoryBackend {
  said: BackendHealth = { problems: [], warnings: [], now: null };

  override async health(): Promise<BackendHealth> {
    return this.said;
  }
}

/** A clock that runs, by so many milliseconds off `START`. */
class ClockAt extends Clock {
  constructor(readonly off: number) {
    super();
  }

  now(): number {
    return START + this.off;
  }
}

/** A store whose clock is by so many milliseconds ahead of that of its storage. */
function openAhead(off: number, grace = '30s') {
  const backend = new TalkingBackend();
  backend.said = { ...backend.said, now: START };
  const logger = new RecordingLogger();
  const options = { key: KEY, clock: new ClockAt(off), rotation: { grace } };
  return { store: new SessionStore(backend, options, logger), backend, logger };
}

describe('clockFinding', () => {
  it.each([0, 1_000, -1_000])('says nothing of clocks that differ by %d ms', (gap) => {
    expect(clockFinding(gap, 30_000)).toBeNull();
  });

  it.each([
    [
      1_001,
      false,
      'The clock of this process is 1.0 s ahead of that of the storage: here sessions end that much too early',
    ],
    [
      -30_000,
      false,
      'The clock of this process is 30.0 s behind that of the storage: here sessions end that much too late',
    ],
    [
      30_001,
      true,
      'The clock of this process is 30.0 s ahead of that of the storage: here sessions end that much too early',
    ],
    [
      -90_000,
      true,
      'The clock of this process is 90.0 s behind that of the storage: here sessions end that much too late',
    ],
  ])('takes %d ms for a problem: %p', (gap, isProblem, message) => {
    const found = clockFinding(gap, 30_000);
    expect(found?.isProblem).toBe(isProblem);
    expect(found?.finding.code).toBe('clock');
    expect(found?.finding.message).toContain(message);
  });

  it('takes no second for a problem, however short the grace', () => {
    expect(clockFinding(1_000, 0)).toBeNull();
    expect(clockFinding(1_001, 0)?.isProblem).toBe(true);
  });
});

describe('checkHealth', () => {
  it('warns of a clock that is off by more than a second, and is down beyond the grace', async () => {
    expect(await openAhead(900).store.checkHealth()).toMatchObject({ healthy: true, warnings: [] });
    expect(await openAhead(-2_000).store.checkHealth()).toMatchObject({
      healthy: true,
      warnings: [{ code: 'clock' }],
    });
    expect(await openAhead(31_000).store.checkHealth()).toMatchObject({
      healthy: false,
      problems: [{ code: 'clock' }],
      warnings: [],
    });
    expect(await openAhead(31_000, '40s').store.checkHealth()).toMatchObject({
      healthy: true,
      warnings: [{ code: 'clock' }],
    });
  });

  it('compares no clock that a test sets', async () => {
    const { store, backend, clock } = openStore({}, new TalkingBackend());
    backend.said = { ...backend.said, now: START - 86_400_000 };
    clock.advance('30d');
    expect(await store.checkHealth()).toMatchObject({ healthy: true, warnings: [] });
  });

  it('passes on what storage says of itself', async () => {
    const { store, backend } = openStore({}, new TalkingBackend());
    backend.said = { problems: ['it forgets'], warnings: ['it is nearly full', 'it is slow'], now: null };
    expect(await store.checkHealth()).toMatchObject({
      healthy: false,
      problems: [{ code: 'storage', message: 'it forgets' }],
      warnings: [
        { code: 'storage', message: 'it is nearly full' },
        { code: 'storage', message: 'it is slow' },
      ],
    });
  });

  it('says `unreachable` when storage cannot be asked', async () => {
    const { store, backend } = openStore({}, new TalkingBackend());
    backend.health = () => Promise.reject(new Error('connection lost'));
    expect((await store.checkHealth()).problems).toEqual([
      { code: 'unreachable', message: 'Could not check the storage: connection lost' },
    ]);
  });
});

describe('StorageHealth.watch', () => {
  it('logs once what there is to say, problems first', async () => {
    const { store, backend, logger } = openAhead(31_000);
    backend.said = { ...backend.said, warnings: ['it is slow'] };
    store.parts.storageHealth.watch();
    store.parts.storageHealth.watch();
    await store.manager.drain();
    expect(logger.warnings).toEqual([expect.stringContaining('31.0 s ahead'), 'it is slow']);
  });

  it('logs what is new each time that health is asked, and nothing twice, whatever its figures', async () => {
    const { store, backend, logger } = openAhead(0);
    const logged = () => logger.warnings.length;
    await store.checkHealth();
    expect(logged()).toBe(0);
    backend.said = { problems: ['10.0.0.1:6379: 5 keys have been evicted'], warnings: [], now: START };
    for (let times = 0; times < 3; times++) await store.checkHealth();
    expect(logged()).toBe(1);
    backend.said = {
      ...backend.said,
      problems: ['10.0.0.1:6379: 17 keys have been evicted', '10.0.0.2:6379: 17 keys have been evicted'],
    };
    await store.checkHealth();
    expect(logged()).toBe(2);
    backend.said = { ...backend.said, problems: [] };
    await store.checkHealth();
    backend.said = { ...backend.said, problems: ['read-only'] };
    await store.checkHealth();
    expect(logged()).toBe(3);
  });

  it('leaves storage that fails to whoever needs it', async () => {
    const { store, backend } = openAhead(0);
    backend.health = () => Promise.reject(new Error('connection lost'));
    store.parts.storageHealth.watch();
    await expect(store.manager.drain()).resolves.toBeUndefined();
  });
});
