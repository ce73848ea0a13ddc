/** Addresses of the replicas that take requests now: what a balancer knows. */
export interface Balancer {
  addresses: readonly string[];
}

/** What came of one request. */
interface Answer {
  readonly status: number;
  readonly text: string;
}

/**
 * Somebody who is signed in and counts, each request at the next replica. It knows how often it has been told that it was
 * counted, and how often it has not been told anything.
 */
export class BalancedClient {
  cookie = '';
  /** Counts that were acknowledged. */
  counted = 0;
  /** Requests to count that got no answer, or none that says what has happened. */
  unknown = 0;
  /** What must not be: being taken for nobody, or for somebody else, or a count that went back. */
  readonly faults: string[] = [];
  /** Answers 503, and requests that a replica has not answered. */
  refused = 0;
  requests = 0;
  #turn = 0;

  constructor(
    private readonly balancer: Balancer,
    readonly user: string,
  ) {}

  async signIn(): Promise<number> {
    return (await this.send('POST', '/login', { user: this.user })).status;
  }

  /** Counts and looks in turn, until told to stop. */
  async goOn(load: { isOver: boolean }): Promise<void> {
    while (!load.isOver) {
      await this.#count();
      await this.#look();
    }
  }

  async send(method: string, path: string, body?: object): Promise<Answer> {
    const { addresses } = this.balancer;
    const address = addresses[this.#turn++ % addresses.length];
    this.requests++;
    const headers = { cookie: this.cookie, 'content-type': 'application/json' };
    try {
      const response = await fetch(address + path, { method, headers, body: body && JSON.stringify(body) });
      const text = await response.text();
      const [line] = response.headers.getSetCookie();
      if (line !== undefined) this.cookie = line.split(';', 1)[0] ?? '';
      if (response.status === 503) this.refused++;
      return { status: response.status, text };
    } catch {
      this.refused++;
      return { status: 0, text: '' }; // the replica is gone: nobody knows
    }
  }

  /** Whether the count is what was acknowledged, with what nobody knows in between. @returns `null`: it could not be read */
  async check(): Promise<boolean | null> {
    const { status, text } = await this.send('GET', '/count');
    if (status !== 200) return null;
    const { count } = JSON.parse(text) as { count: number };
    return count >= this.counted && count <= this.counted + this.unknown;
  }

  async #count(): Promise<void> {
    const { status } = await this.send('POST', '/count');
    if (status === 201) this.counted++;
    else if (status === 0 || status === 503) this.unknown++;
    else this.faults.push(`${this.user} was answered ${status} to a count`);
  }

  async #look(): Promise<void> {
    const { status, text } = await this.send('GET', '/count');
    if (status === 0 || status === 503) return;
    if (status !== 200) {
      this.faults.push(`${this.user} was answered ${status} to a look`);
      return;
    }
    const { user, count } = JSON.parse(text) as { user: string; count: number };
    if (user !== this.user) this.faults.push(`${this.user} was taken for ${user}`);
    if (count < this.counted) this.faults.push(`${this.user}: ${count} of ${this.counted} counts are left`);
    if (count > this.counted + this.unknown)
      this.faults.push(`${this.user}: counted ${count} of ${this.counted} to ${this.counted + this.unknown}`);
  }
}
