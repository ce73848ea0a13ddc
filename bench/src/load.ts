import { Pool } from 'undici';

/** One request to send. */
export interface LoadRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** A Cookie header. */
  readonly cookie?: string;
}

/** What came back. */
export interface LoadResult {
  readonly requests: number;
  /** Milliseconds, first request to last answer. */
  readonly elapsed: number;
  /** Milliseconds that each request took. */
  readonly latencies: readonly number[];
}

/** Keep-alive connections to one server. */
export class LoadGenerator {
  readonly #pool: Pool;

  constructor(
    origin: string,
    private readonly connections: number,
  ) {
    this.#pool = new Pool(origin, { connections, pipelining: 1 });
  }

  /** Sends one request. Resolves to the cookie that was set, as a Cookie header; rejects unless it is answered 2xx. */
  async send({ method, path, cookie }: LoadRequest): Promise<string | undefined> {
    const headers = cookie === undefined ? {} : { cookie };
    const { statusCode, headers: answered, body } = await this.#pool.request({ method, path, headers });
    const text = await body.text();
    if (statusCode >= 300) throw new Error(`${method} ${path} was answered ${statusCode}: ${text}`);
    const set = answered['set-cookie'];
    return (Array.isArray(set) ? set[0] : set)?.split(';')[0];
  }

  /** Each connection takes the next request when it has its answer, until `next` gives none. */
  async run(next: () => LoadRequest | undefined): Promise<LoadResult> {
    const latencies: number[] = [];
    const begun = performance.now();
    const worker = async (): Promise<void> => {
      for (let request = next(); request !== undefined; request = next()) {
        const sent = performance.now();
        await this.send(request);
        latencies.push(performance.now() - sent);
      }
    };
    await Promise.all(Array.from({ length: this.connections }, worker));
    return { requests: latencies.length, elapsed: performance.now() - begun, latencies };
  }

  /** As `run`, but `count` requests at once, and the next ones when all have their answers. */
  async runPages(count: number, next: () => LoadRequest | undefined): Promise<LoadResult> {
    const latencies: number[] = [];
    const begun = performance.now();
    for (let request = next(); request !== undefined; request = next()) {
      const one = request;
      const sent = performance.now();
      await Promise.all(Array.from({ length: count }, () => this.send(one)));
      for (let i = 0; i < count; i++) latencies.push(performance.now() - sent);
    }
    return { requests: latencies.length, elapsed: performance.now() - begun, latencies };
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }
}
