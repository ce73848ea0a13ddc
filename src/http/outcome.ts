/**
 * A promise that knows whether anybody waits for it, so that a failure which nobody would see can be told otherwise.
 * Not to wait for it is no unhandled rejection.
 */
export class Outcome {
  /** What the app gets. */
  readonly promise: Promise<void>;
  /** Whether nobody has asked how it ends. */
  isForgotten = true;

  constructor(source: Promise<void>) {
    source.catch(() => undefined);
    this.promise = new Proxy(source, {
      get: (target, key) => {
        if (key === 'then' || key === 'catch' || key === 'finally') this.isForgotten = false;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }
}
