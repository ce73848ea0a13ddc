import { once } from 'node:events';
import { connect } from 'node:net';
import { Worker } from 'node:worker_threads';
import { withTimeout } from '../../src/core/timeout.js';
import { performance, sleep } from '../../src/core/timers.js';

const never = (): Promise<never> => new Promise(() => undefined);
const refuse = (): never => {
  throw new Error('too late');
};

/** A promise, with the way to settle it. */
function held<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((...ways) => ([resolve, reject] = ways));
  return { promise, resolve, reject };
}

describe('withTimeout', () => {
  it('gives the result of a call that is in time', async () => {
    await expect(withTimeout(async () => 'result', 1000, refuse)).resolves.toBe('result');
  });

  it('rejects as the call does, also when it throws at once', async () => {
    await expect(withTimeout(() => Promise.reject(new Error('failed')), 1000, refuse)).rejects.toThrow(
      'failed',
    );
    const throws = (): Promise<never> => {
      throw new Error('at once');
    };
    await expect(withTimeout(throws, 1000, refuse)).rejects.toThrow('at once');
  });

  it('gives what came in time while the process was busy with something else', async () => {
    const sender = new Worker(
      `const { createServer } = require('node:net');
       const server = createServer((socket) => setTimeout(() => socket.end('result'), 20));
       server.listen(0, '127.0.0.1', () => require('node:worker_threads').parentPort.postMessage(server.address().port));`,
      { eval: true },
    );
    const [port] = (await once(sender, 'message')) as [number];
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const call = async () => String((await once(socket, 'data'))[0]);
    const result = withTimeout(call, 60, refuse);
    for (const end = performance.now() + 150; performance.now() < end;);
    expect(await result).toBe('result');
    await sender.terminate();
  });

  it('begins the call at once', () => {
    let isBegun = false;
    void withTimeout(async () => (isBegun = true), 1000, refuse);
    expect(isBegun).toBe(true);
  });

  it('rejects with what `tooLate` throws, after the time and not before', async () => {
    const begun = performance.now();
    await expect(withTimeout(never, 30, refuse)).rejects.toThrow('too late');
    expect(performance.now() - begun).toBeGreaterThanOrEqual(28);
  });

  it('resolves to what `tooLate` returns', async () => {
    await expect(withTimeout<string | null>(never, 1, () => null)).resolves.toBeNull();
  });

  it('drops the result and the failure of a call that comes too late', async () => {
    const [fails, succeeds] = [held<string>(), held<string>()];
    const outcomes = [fails, succeeds].map(({ promise }) =>
      withTimeout(
        () => promise,
        1,
        () => 'late',
      ),
    );
    expect(await Promise.all(outcomes)).toEqual(['late', 'late']);
    fails.reject(new Error('dropped: an unhandled rejection would fail this run'));
    succeeds.resolve('dropped');
    await sleep(1);
    expect(await Promise.all(outcomes)).toEqual(['late', 'late']);
  });

  it('asks `tooLate` nothing when the call was in time', async () => {
    let asked = 0;
    await withTimeout(
      async () => 0,
      1,
      () => ++asked,
    );
    await sleep(10);
    expect(asked).toBe(0);
  });
});
