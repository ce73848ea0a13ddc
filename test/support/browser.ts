import {
  type Agent,
  request,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';
import { CookieJar } from 'tough-cookie';

/** A response that has arrived whole. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Each Set-Cookie header, as it was sent. */
  readonly setCookies: readonly string[];
  readonly text: string;
  /** The body, as it was sent. */
  readonly bytes: Buffer;
  /** The body, parsed, and taken for what the test expects of it. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  json<T = unknown>(): T;
}

export interface SendOptions {
  readonly body?: object;
  readonly headers?: OutgoingHttpHeaders;
  /** Connections to use again. */
  readonly agent?: Agent;
}

/** A request on its way. */
export interface Exchange {
  readonly reply: Promise<Reply>;
  /** Resolves when the body so far contains a text. */
  readonly shows: (text: string) => Promise<void>;
  /** Whether the head of the response has arrived. */
  readonly hasBegun: () => boolean;
  /** Hangs up. */
  readonly abort: () => void;
}

/** A user agent: real HTTP, and a cookie jar that believes to be on https, as behind a proxy. */
export class Browser {
  jar = new CookieJar(undefined, { prefixSecurity: 'strict' });

  constructor(
    public port: number,
    readonly host = 'app.test',
  ) {}

  get(path: string, options?: SendOptions): Promise<Reply> {
    return this.send('GET', path, options);
  }

  post(path: string, body?: object, headers?: OutgoingHttpHeaders): Promise<Reply> {
    return this.send('POST', path, { body, headers });
  }

  async send(method: string, path: string, options?: SendOptions): Promise<Reply> {
    return (await this.start(method, path, options)).reply;
  }

  /** Sends a request, and does not wait for the answer. */
  async start(
    method: string,
    path: string,
    { body, headers = {}, agent }: SendOptions = {},
  ): Promise<Exchange> {
    const cookie = await this.jar.getCookieString(this.#url(path));
    const content = body === undefined ? undefined : JSON.stringify(body);
    const outgoing = request({
      host: '127.0.0.1', // looking `localhost` up, for each request, would cost more than the rest of the way
      port: this.port,
      method,
      path,
      agent: agent ?? false,
      headers: {
        host: this.host,
        ...(cookie === '' ? {} : { cookie }),
        ...(content === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
        ...headers,
      },
    });
    const arrival = new Arrival();
    const head = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.on('error', reject);
      outgoing.on('response', (incoming) => {
        arrival.follow(incoming);
        resolve(incoming);
      });
    });
    const reply = head.then(async (incoming) => {
      const whole = replyOf(incoming, await arrival.whole);
      await this.#keepCookies(path, whole);
      return whole;
    });
    reply.catch(() => undefined);
    outgoing.end(content);
    return {
      reply,
      hasBegun: () => arrival.hasBegun,
      shows: (text) => arrival.shows(text),
      abort: () => void outgoing.destroy(),
    };
  }

  /** The value of the session cookie; `undefined` when the jar holds none. */
  async cookie(name = '__Host-sid'): Promise<string | undefined> {
    return (await this.jar.getCookies(this.#url('/'))).find((cookie) => cookie.key === name)?.value;
  }

  /** Puts a session cookie into the jar, in place of the one that is there. */
  async plant(value: string, name = '__Host-sid'): Promise<void> {
    await this.jar.setCookie(`${name}=${value}; Path=/; Secure`, this.#url('/'));
  }

  /** Another browser with the same cookies: a thief, or a copy of the jar as it is now. */
  async copy(): Promise<Browser> {
    const other = new Browser(this.port, this.host);
    other.jar = await this.jar.clone();
    return other;
  }

  async #keepCookies(path: string, { setCookies }: Reply): Promise<void> {
    for (const cookie of setCookies) await this.jar.setCookie(cookie, this.#url(path));
  }

  #url(path: string): string {
    return `https://${this.host}${path}`;
  }
}

/** The body of a response, as it comes in. */
class Arrival {
  hasBegun = false;
  #received = Buffer.alloc(0);
  #settle: { resolve(bytes: Buffer): void; reject(error: Error): void } | undefined;
  #onChange: (() => void)[] = [];
  readonly whole = new Promise<Buffer>((resolve, reject) => (this.#settle = { resolve, reject }));

  follow(incoming: IncomingMessage): void {
    this.hasBegun = true;
    this.whole.catch(() => undefined);
    incoming.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      for (const look of this.#onChange) look();
    });
    incoming.on('end', () => this.#settle?.resolve(this.#received));
    incoming.on('error', (error) => this.#settle?.reject(error));
  }

  shows(text: string): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => void (this.#received.includes(text) && resolve());
      this.#onChange.push(look);
      look();
    });
  }
}

function replyOf(incoming: IncomingMessage, bytes: Buffer): Reply {
  const text = bytes.toString();
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    setCookies: incoming.headers['set-cookie'] ?? [],
    text,
    bytes,
    json: (() => JSON.parse(text) as unknown) as Reply['json'],
  };
}
