/** One job at a time, first come, first served. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs the job when all that came before have ended, however they ended. */
  run<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#last.then(job);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

/** One job at a time for each key. */
export class KeyedMutex {
  readonly #queues = new Map<string, { readonly mutex: Mutex; jobs: number }>();

  /** Runs the job when all that came before with the same key have ended. */
  async run<T>(key: string, job: () => Promise<T>): Promise<T> {
    const queue = this.#queues.get(key) ?? { mutex: new Mutex(), jobs: 0 };
    this.#queues.set(key, queue);
    queue.jobs++;
    try {
      return await queue.mutex.run(job);
    } finally {
      if (--queue.jobs === 0) this.#queues.delete(key);
    }
  }
}
