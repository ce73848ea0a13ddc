import { KeyedMutex, Mutex } from '../../src/core/mutex.js';
import { performance, sleep } from '../../src/core/timers.js';

/** A task that notes when it begins and ends, and ends when it is told to. */
function openTask(log: string[], name: string) {
  let finish = (): void => undefined;
  let fail = (_error: Error): void => undefined;
  const ended = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  const task = async (): Promise<string> => {
    log.push(`${name} begins`);
    await ended;
    log.push(`${name} ends`);
    return name;
  };
  return { task, finish, fail };
}

const note = (log: string[], name: string) => async (): Promise<string> => {
  log.push(name);
  return name;
};
const hang = (): Promise<never> => new Promise(() => undefined);
const tooLate = (): Error => new RangeError('waited for too long');
/** Longer than any chain of microtasks takes. */
const turn = (): Promise<void> => sleep(0);

describe('Mutex', () => {
  it('runs tasks one at a time, in the order of the calls', async () => {
    const mutex = new Mutex();
    const log: string[] = [];
    const [a, b] = [openTask(log, 'a'), openTask(log, 'b')];
    const results = [mutex.run(a.task), mutex.run(b.task), mutex.run(note(log, 'c'))];
    b.finish();
    await turn();
    expect(log).toEqual(['a begins']);
    a.finish();
    expect(await Promise.all(results)).toEqual(['a', 'b', 'c']);
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c']);
  });

  it('begins a task that nothing is in the way of in the next microtask, not inside the call', async () => {
    const mutex = new Mutex();
    const log: string[] = [];
    void mutex.run(note(log, 'task'));
    log.push('called');
    await Promise.resolve();
    expect(log).toEqual(['called', 'task']);
  });

  it('lets no later call overtake those that wait', async () => {
    const mutex = new Mutex();
    const log: string[] = [];
    const first = openTask(log, 'first');
    void mutex.run(first.task);
    const waiting = mutex.run(note(log, 'waiting'));
    first.finish();
    const latest = Promise.resolve().then(() => mutex.run(note(log, 'latest')));
    await Promise.all([waiting, latest]);
    expect(log).toEqual(['first begins', 'first ends', 'waiting', 'latest']);
  });

  it('goes on after a task that fails or throws, and tells its caller alone', async () => {
    const mutex = new Mutex();
    const failing = mutex.run(() => Promise.reject(new Error('failed')));
    const throwing = mutex.run(() => {
      throw new Error('thrown');
    });
    const following = mutex.run(async () => 'following');
    await expect(failing).rejects.toThrow('failed');
    await expect(throwing).rejects.toThrow('thrown');
    await expect(following).resolves.toBe('following');
  });

  it('is busy from the call until the last task ends, and no longer when its caller has the result', async () => {
    const mutex = new Mutex();
    expect(mutex.isBusy).toBe(false);
    const first = mutex.run(turn);
    const second = mutex.run(turn);
    expect(mutex.isBusy).toBe(true);
    await first;
    expect(mutex.isBusy).toBe(true);
    await second;
    expect(mutex.isBusy).toBe(false);
    await expect(mutex.run(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    expect(mutex.isBusy).toBe(false);
  });

  it('says each time when it becomes idle', async () => {
    let idle = 0;
    const mutex = new Mutex(() => idle++);
    await Promise.all([mutex.run(turn), mutex.run(turn)]);
    expect(idle).toBe(1);
    await mutex.run(turn);
    expect(idle).toBe(2);
  });
});

describe('a task with `maxWait`', () => {
  it('is refused when its turn does not come in time, and never runs', async () => {
    const mutex = new Mutex();
    const log: string[] = [];
    const first = openTask(log, 'first');
    const held = mutex.run(first.task);
    const begun = performance.now();
    await expect(mutex.run(note(log, 'late'), { maxWait: 30, tooLate })).rejects.toThrow(RangeError);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(28);
    first.finish();
    await held;
    await turn();
    expect(log).toEqual(['first begins', 'first ends']);
  });

  it('says so in words of its own without `tooLate`', async () => {
    const mutex = new Mutex();
    void mutex.run(hang);
    await expect(mutex.run(turn, { maxWait: 1 })).rejects.toThrow("it was not this task's turn within 1 ms");
  });

  it('does not make way for those behind it when it gives up', async () => {
    const mutex = new Mutex();
    const log: string[] = [];
    const first = openTask(log, 'first');
    void mutex.run(first.task);
    const refused = mutex.run(note(log, 'refused'), { maxWait: 1, tooLate });
    const behind = mutex.run(note(log, 'behind'));
    await expect(refused).rejects.toThrow(RangeError);
    await turn();
    expect(log).toEqual(['first begins']);
    first.finish();
    await behind;
    expect(log).toEqual(['first begins', 'first ends', 'behind']);
  });

  it('may take as long as it likes once it has begun', async () => {
    const mutex = new Mutex();
    await expect(mutex.run(() => sleep(20).then(() => 'done'), { maxWait: 1, tooLate })).resolves.toBe(
      'done',
    );
  });

  it('that waits for itself is an error', async () => {
    const mutex = new Mutex();
    const limits = { maxWait: 10, tooLate };
    await expect(mutex.run(() => mutex.run(turn, limits), limits)).rejects.toThrow(RangeError);
    await expect(mutex.run(async () => 'works again', limits)).resolves.toBe('works again');
  });
});

describe('a task with `maxHold`', () => {
  it('loses its turn when it hangs: each that hangs costs that much, and nobody is refused', async () => {
    const mutex = new Mutex();
    void mutex.run(hang, { maxHold: 10 });
    void mutex.run(hang, { maxHold: 10 });
    await expect(mutex.run(async () => 'next')).resolves.toBe('next');
    expect(mutex.isBusy).toBe(false);
  });

  it('loses its turn before one that waits for the same time is refused', async () => {
    const mutex = new Mutex();
    const limits = { maxWait: 20, tooLate, maxHold: 20 };
    void mutex.run(hang, limits);
    await expect(mutex.run(async () => 'next', limits)).resolves.toBe('next');
  });

  it('goes on after that, and its caller gets the result', async () => {
    const mutex = new Mutex();
    const log: string[] = [];
    const slow = openTask(log, 'slow');
    const result = mutex.run(slow.task, { maxHold: 1 });
    await mutex.run(note(log, 'next'));
    slow.finish();
    await expect(result).resolves.toBe('slow');
    expect(log).toEqual(['slow begins', 'next', 'slow ends']);
  });

  it('ends no turn but its own when it comes to its end too late', async () => {
    const mutex = new Mutex();
    const log: string[] = [];
    const [slow, next] = [openTask(log, 'slow'), openTask(log, 'next')];
    const late = mutex.run(slow.task, { maxHold: 1 });
    void mutex.run(next.task);
    const last = mutex.run(note(log, 'last'));
    await sleep(10);
    slow.finish();
    await late;
    await turn();
    expect(log).toEqual(['slow begins', 'next begins', 'slow ends']);
    expect(mutex.isBusy).toBe(true);
    next.finish();
    await last;
  });
});

describe('KeyedMutex', () => {
  it('keeps the tasks of one key in line, and lets other keys pass', async () => {
    const mutex = new KeyedMutex();
    const log: string[] = [];
    const first = openTask(log, 'ada');
    void mutex.run('ada', first.task);
    const second = mutex.run('ada', note(log, 'ada again'));
    await mutex.run('bob', note(log, 'bob'));
    expect(log).toEqual(['ada begins', 'bob']);
    first.finish();
    await second;
    expect(log).toEqual(['ada begins', 'bob', 'ada ends', 'ada again']);
  });

  it('forgets a key whose tasks have ended, failed or been refused', async () => {
    const mutex = new KeyedMutex();
    const slow = openTask([], 'slow');
    const failing = mutex.run('ada', slow.task);
    const refused = mutex.run('ada', turn, { maxWait: 1, tooLate });
    expect(mutex.size).toBe(1);
    await expect(refused).rejects.toThrow(RangeError);
    expect(mutex.size).toBe(1);
    slow.fail(new Error('failed'));
    await expect(failing).rejects.toThrow('failed');
    expect(mutex.size).toBe(0);
  });

  it('forgets a key whose last task has lost its turn, also when it ends beside a later one', async () => {
    const mutex = new KeyedMutex();
    const log: string[] = [];
    const [slow, next] = [openTask(log, 'slow'), openTask(log, 'next')];
    const late = mutex.run('ada', slow.task, { maxHold: 1 });
    await sleep(10);
    expect(mutex.size).toBe(0);
    const held = mutex.run('ada', next.task);
    slow.finish();
    await late;
    expect(mutex.size).toBe(1);
    next.finish();
    await held;
    expect(mutex.size).toBe(0);
  });
});
