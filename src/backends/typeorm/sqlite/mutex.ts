/** One job at a time, first come, first served. */
export class Mutex {
  private last: Promise<unknown> = Promise.resolve();

  /** Runs the job when all that came before have ended, however they ended. */
  run<T>(job: () => Promise<T>): Promise<T> {
    const result = this.last.then(job);
    this.last = result.catch(() => undefined);
    return result;
  }
}
