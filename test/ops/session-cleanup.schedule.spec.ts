import { jest } from '@jest/globals';
import { Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { SessionCleanup, SessionModule, type SessionOptions, SessionStore } from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import type { PruneResult, PruneStep } from '../../src/core/session-backend.js';
import { closeApps, eventually, KEY, startApp } from '../support/nest-app.js';

const START = Date.UTC(2030, 0, 1, 12, 30);
const HOUR = 3_600_000;

class CountingBackend extends MemorySessionBackend {
  /** When clean-ups began. */
  readonly prunedAt: Date[] = [];

  override prune(step: PruneStep): Promise<PruneResult> {
    this.prunedAt.push(new Date());
    return super.prune(step);
  }
}

@Injectable()
class ReportJob {
  ticks = 0;

  @Cron('0 * * * *', { name: 'report' })
  send(): void {
    this.ticks++;
  }
}

async function start({ imports = [], ...setup }: ModuleMetadata = {}, options: Partial<SessionOptions> = {}) {
  const backend = new CountingBackend();
  const sessions = SessionModule.forRoot({ key: KEY, backend, ...options });
  const app = await startApp({ imports: [...imports, sessions], ...setup });
  return { app, backend };
}

/** Hour by hour, so that the clean-up of one is done when the next begins. */
async function hours(count: number): Promise<void> {
  for (let hour = 0; hour < count; hour++) {
    await jest.advanceTimersByTimeAsync(HOUR);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('on a schedule', () => {
  beforeEach(() => {
    jest.useFakeTimers({
      now: START,
      doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'performance'],
    });
  });
  afterEach(async () => {
    await closeApps();
    jest.useRealTimers();
  });

  describe('in an app without ScheduleModule', () => {
    it('expired sessions are deleted at every full hour', async () => {
      const { app, backend } = await start({}, { ttl: '20m' });
      await app.get(SessionStore).create({}, 'ada');
      await hours(2);
      expect(backend.prunedAt).toEqual([new Date('2030-01-01T13:00Z'), new Date('2030-01-01T14:00Z')]);
      expect(await app.get(SessionStore).destroyAll()).toBe(0);
      expect(app.get(SessionCleanup).last).toMatchObject({ deleted: 0 });
    });

    it('the expression of the app is followed', async () => {
      const { backend } = await start({}, { cleanup: { cron: '45 14 * * *' } });
      await hours(48);
      expect(backend.prunedAt).toEqual([new Date('2030-01-01T14:45Z'), new Date('2030-01-02T14:45Z')]);
    });

    it('the timer ends with the app', async () => {
      const { app, backend } = await start();
      await hours(1);
      await app.close();
      await hours(3);
      expect(backend.prunedAt).toHaveLength(1);
      expect(jest.getTimerCount()).toBe(0);
    });

    it('`cleanup: false` sets no timer', async () => {
      const { backend } = await start({}, { cleanup: false });
      expect(jest.getTimerCount()).toBe(0);
      await hours(3);
      expect(backend.prunedAt).toEqual([]);
    });
  });

  describe.each(['before', 'after'])('in an app with ScheduleModule, imported %s', (position) => {
    const withScheduler = async (options: Partial<SessionOptions> = {}) => {
      const backend = new CountingBackend();
      const sessions = SessionModule.forRoot({ key: KEY, backend, ...options });
      const imports =
        position === 'before' ? [ScheduleModule.forRoot(), sessions] : [sessions, ScheduleModule.forRoot()];
      const app = await startApp({ imports, providers: [ReportJob] });
      return { app, backend, registry: app.get(SchedulerRegistry) };
    };

    it('it is a job of the app, and runs once per tick', async () => {
      const { backend, registry } = await withScheduler();
      expect(registry.getCronJob('session-cleanup').cronTime.source).toBe('0 * * * *');
      await hours(3);
      expect(backend.prunedAt).toHaveLength(3);
      expect(new Set(backend.prunedAt.map(Number)).size).toBe(3);
    });

    it("the app's own jobs run once per tick, too", async () => {
      const { app, registry } = await withScheduler();
      expect([...registry.getCronJobs().keys()].toSorted()).toEqual(['report', 'session-cleanup']);
      await hours(3);
      expect(app.get(ReportJob).ticks).toBe(3);
    });

    it('the app can stop it and start it again', async () => {
      const { backend, registry } = await withScheduler();
      const job = registry.getCronJob('session-cleanup');
      await job.stop();
      await hours(2);
      expect(backend.prunedAt).toEqual([]);
      job.start();
      await hours(1);
      expect(backend.prunedAt).toHaveLength(1);
    });

    it('it ends with the app', async () => {
      const { app, backend } = await withScheduler();
      await app.close();
      await hours(3);
      expect(backend.prunedAt).toEqual([]);
      expect(jest.getTimerCount()).toBe(0);
    });

    it('`cleanup: false` registers no job', async () => {
      const { backend, registry } = await withScheduler({ cleanup: false });
      expect([...registry.getCronJobs().keys()]).toEqual(['report']);
      await hours(2);
      expect(backend.prunedAt).toEqual([]);
    });
  });

  it('two apps of one process have their own expressions', async () => {
    const one = await start({ imports: [ScheduleModule.forRoot()] }, { cleanup: { cron: '0 13 * * *' } });
    const other = await start({ imports: [ScheduleModule.forRoot()] }, { cleanup: { cron: '0 * * * *' } });
    await hours(4);
    expect([one.backend.prunedAt.length, other.backend.prunedAt.length]).toEqual([1, 4]);
  });

  it('an app whose jobs are switched off runs none, and is not overdue for it', async () => {
    const { app, backend } = await start({ imports: [ScheduleModule.forRoot({ cronJobs: false })] });
    await hours(24);
    expect(backend.prunedAt).toEqual([]);
    expect(app.get(SessionCleanup).isOverdue).toBe(false);
  });

  it('of three replicas one cleans up at each turn, and the others are not overdue for it', async () => {
    const backend = new CountingBackend();
    const replicas = await Promise.all([1, 2, 3].map(() => start({}, { backend })));
    await hours(4);
    const at = (hour: number) => new Date(`2030-01-01T${hour}:00Z`);
    expect(backend.prunedAt).toEqual([at(13), at(14), at(15), at(16)]);
    for (const { app } of replicas) {
      const cleanup = app.get(SessionCleanup);
      expect([cleanup.last?.at, cleanup.isOverdue]).toEqual([at(16), false]);
    }
    const rested = replicas.filter(({ app }) => app.get(SessionCleanup).last?.rested);
    expect(rested).toHaveLength(2);
    for (const { app } of replicas) await app.get(SessionCleanup).run();
    expect(backend.prunedAt).toHaveLength(7); // by hand it is done whoever has the lease
  });

  it('a worker without HTTP cleans up, too', async () => {
    const backend = new CountingBackend();
    @Module({ imports: [SessionModule.forRoot({ key: KEY, backend })] })
    class WorkerModule {}
    const worker = await NestFactory.createApplicationContext(WorkerModule, { logger: false });
    await hours(2);
    expect(backend.prunedAt).toHaveLength(2);
    await worker.close();
  });
});

describe('on the clock of the machine', () => {
  afterEach(closeApps);

  it('ticks for real, every second', async () => {
    const { backend } = await start({}, { cleanup: { cron: '* * * * * *' } });
    expect(await eventually(() => backend.prunedAt.length > 0)).toBe(true);
  });

  it('does not keep the process alive, as the jobs of ScheduleModule do', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const { app } = await start();
    expect(timers()).toBe(before);
    await app.close();
    await start({ imports: [ScheduleModule.forRoot()] });
    expect(timers()).toBe(before + 1);
  });
});
