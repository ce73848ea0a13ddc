/** One answer that a client got. */
export interface Reply {
  readonly method: string;
  readonly status: number;
  /** When it was sent, on the clock of `performance.now()`. */
  readonly began: number;
  /** Milliseconds. */
  readonly took: number;
  readonly hasSetCookie: boolean;
  readonly retryAfter: string | null;
  readonly body: { theme?: string | null; userId?: string | null };
}

/** Somebody who is signed in and goes on sending requests. */
export class Client {
  cookie = '';
  readonly replies: Reply[] = [];
  /** Values that may be stored: the last that was acknowledged, and those that were tried since. */
  possible: (string | null)[] = [null];

  constructor(
    private readonly address: string,
    readonly user: string,
  ) {}

  async signIn(): Promise<void> {
    const response = await this.#send('POST', '/login', { user: this.user });
    const lines = response.headers.getSetCookie();
    if (response.status !== 201 || lines.length === 0) throw new Error(`no sign-in: ${response.status}`);
    this.cookie = lines.map((line) => line.split(';', 1)[0]).join('; ');
  }

  read(): Promise<Reply> {
    return this.#ask('GET');
  }

  async write(theme: string): Promise<Reply> {
    this.possible.push(theme);
    const reply = await this.#ask('POST', { theme });
    if (reply.status === 201) this.possible = [theme];
    return reply;
  }

  /** One request after the other, reads and writes in turn, until told to stop. */
  async goOn(load: { isOver: boolean }): Promise<void> {
    for (let count = 0; !load.isOver; count++) {
      if (count % 2 === 0) await this.read();
      else await this.write(`${this.user} ${count}`);
    }
  }

  async #ask(method: string, body?: object): Promise<Reply> {
    const began = performance.now();
    const response = await this.#send(method, '/theme', body);
    const text = await response.text();
    const reply: Reply = {
      method,
      status: response.status,
      began,
      took: performance.now() - began,
      hasSetCookie: response.headers.getSetCookie().length > 0,
      retryAfter: response.headers.get('retry-after'),
      body: text === '' ? {} : (JSON.parse(text) as Reply['body']),
    };
    this.replies.push(reply);
    return reply;
  }

  #send(method: string, path: string, body?: object): Promise<Response> {
    const headers = { cookie: this.cookie, 'content-type': 'application/json' };
    return fetch(this.address + path, { method, headers, body: body && JSON.stringify(body) });
  }
}
