import { AsyncLocalStorage } from 'node:async_hooks';
import { jest } from '@jest/globals';
import { type FakeMethod, install } from '@sinonjs/fake-timers';

type Timers = typeof import('../../src/core/timers.js');

/** The module as it is when it is loaded now. */
async function loaded(): Promise<Timers> {
  jest.resetModules();
  return import('../../src/core/timers.js');
}

const EVERYTHING: FakeMethod[] = [
  'setTimeout',
  'clearTimeout',
  'setImmediate',
  'nextTick',
  'performance',
  'Date',
];

describe.each(['before', 'after'])('timers that are faked %s the module is loaded', (when) => {
  /** The module, while everything is faked and no fake ever goes on. */
  async function whileFaked(body: (timers: Timers) => Promise<void>): Promise<void> {
    const early = when === 'after' ? await loaded() : null;
    const clock = install({ toFake: EVERYTHING });
    try {
      await body(early ?? (await loaded()));
    } finally {
      clock.uninstall();
    }
  }

  it('leave setImmediate, nextTick, setTimeout and sleep as Node has them', async () => {
    await whileFaked(async (timers) => {
      await new Promise<void>((resolve) => timers.setImmediate(resolve));
      await new Promise<void>((resolve) => timers.nextTick(resolve));
      await new Promise<void>((resolve) => timers.setTimeout(resolve, 1));
      await timers.sleep(1);
    });
  });

  it('leave the monotonic clock running', async () => {
    await whileFaked(async ({ performance, sleep }) => {
      const before = performance.now();
      await sleep(2);
      expect(performance.now()).toBeGreaterThan(before);
    });
  });

  it('leave it to clearTimeout to end a timer', async () => {
    await whileFaked(async ({ clearTimeout, setTimeout, sleep }) => {
      let hasRun = false;
      clearTimeout(setTimeout(() => (hasRun = true), 1));
      await sleep(3);
      expect(hasRun).toBe(false);
    });
  });
});

describe('sleep', () => {
  it('ends with the reason of a signal, also of one that came before', async () => {
    const { sleep } = await loaded();
    const stop = new AbortController();
    const asleep = sleep(60_000, stop.signal);
    stop.abort(new Error('enough'));
    await expect(asleep).rejects.toThrow('enough');
    await expect(sleep(60_000, stop.signal)).rejects.toThrow('enough');
  });
});

describe('setProcessTimeout', () => {
  it('runs outside of the request that started it, and keeps no process alive', async () => {
    const { setProcessTimeout } = await loaded();
    const requests = new AsyncLocalStorage<string>();
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const seen = await requests.run('a request', () => {
      const ran = new Promise((resolve) => setProcessTimeout(() => resolve(requests.getStore()), 1));
      expect(timers()).toBe(before);
      return ran;
    });
    expect(seen).toBeUndefined();
  });
});
