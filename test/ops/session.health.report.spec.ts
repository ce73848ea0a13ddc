import type { HealthCheckResult } from '@nestjs/terminus';
import { SessionCleanup, SessionHealthIndicator } from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import { KeyRing } from '../../src/core/key-ring.js';
import { closeApps, http, KEY, logIn, OTHER_KEY, startApp } from '../support/nest-app.js';
import { healthOf, onMemory, startWithHealth } from './support/health-app.js';

class FailingBackend extends MemorySessionBackend {
  override prune(): Promise<never> {
    return Promise.reject(new Error('SQLITE_IOERR: /var/lib/secret-place/app.sqlite'));
  }
}

afterEach(closeApps);

describe('the report', () => {
  it('is under the key that was asked for', async () => {
    const app = await startWithHealth({ imports: onMemory() });
    const { body } = await http(app).get('/health/named').expect(200);
    expect(Object.keys((body as HealthCheckResult).details)).toEqual(['session-store']);
    expect(await app.get(SessionHealthIndicator).isHealthy()).toMatchObject({ sessions: { status: 'up' } });
  });

  it('holds nothing about keys, users, files or numbers of sessions', async () => {
    const app = await startWithHealth({ imports: onMemory({ key: [KEY, OTHER_KEY] }) });
    await logIn(app, 'ada');
    const { text, sessions } = await healthOf(app);
    expect(Object.keys(sessions ?? {}).toSorted()).toEqual(['lastCleanup', 'latencyMs', 'status']);
    for (const keyId of KeyRing.of([KEY, OTHER_KEY]).keyIds) expect(text).not.toContain(keyId);
    expect(text).not.toContain('ada');
  });

  it('says of a failed clean-up that it failed, not why', async () => {
    const app = await startWithHealth({ imports: onMemory({ backend: FailingBackend }) });
    await app.get(SessionCleanup).run();
    const { text, sessions } = await healthOf(app);
    expect(text).not.toContain('secret-place');
    expect(sessions).toEqual({
      status: 'up',
      latencyMs: expect.any(Number),
      lastCleanup: { at: expect.any(String), deleted: 0, failed: true },
    });
    expect(app.get(SessionCleanup).last?.error).toContain('secret-place');
  });

  it('leaves no timer behind', async () => {
    const app = await startWithHealth({ imports: onMemory() });
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    await app.get(SessionHealthIndicator).isHealthy('sessions', { timeout: '1m' });
    expect(timers()).toBeLessThanOrEqual(before);
  });

  it('refuses a timeout that is none', async () => {
    const app = await startWithHealth({ imports: onMemory() });
    await expect(app.get(SessionHealthIndicator).isHealthy('sessions', { timeout: 'soon' })).rejects.toThrow(
      /`timeout`: expected a positive duration/,
    );
  });
});

describe('without TerminusModule', () => {
  it('the indicator is there, and answers', async () => {
    const app = await startApp({ imports: onMemory() });
    expect(await app.get(SessionHealthIndicator).isHealthy()).toEqual({
      sessions: { status: 'up', latencyMs: expect.any(Number), lastCleanup: null },
    });
  });
});
