import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { parseSetCookie, stringifyCookie } from 'cookie';
import { certificate } from '../certificate.js';

/** What an HTTP client says of itself. */
export interface HttpClientInput {
  /** Where it sends its requests. */
  readonly origin: string;
  readonly userAgent: string;
  /** The address that it claims to have, as behind a proxy on this machine: one that is reserved for documentation. */
  readonly address: string;
}

export interface HttpReply {
  readonly status: number;
  readonly body: string;
}

/**
 * A client beside the browser, which this server plays: it has cookies of its own, and makes real requests to the app, so
 * that one browser is enough to see what two of them do to each other.
 */
export class HttpClient {
  readonly #cookies = new Map<string, string>();

  constructor(private readonly input: HttpClientInput) {}

  /** The value of one of its cookies, or `null`. */
  cookie(name: string): string | null {
    return this.#cookies.get(name) ?? null;
  }

  /** Puts a cookie among its own, whoever got it. */
  putCookie(name: string, value: string): void {
    this.#cookies.set(name, value);
  }

  /** Follows no redirect. Cookies of the reply are kept. */
  send(
    method: 'GET' | 'POST',
    path: string,
    form: Readonly<Record<string, string>> = {},
  ): Promise<HttpReply> {
    const { origin, userAgent, address } = this.input;
    const body = method === 'POST' ? new URLSearchParams(form).toString() : '';
    const headers = {
      Accept: 'application/json',
      'User-Agent': userAgent,
      'X-Forwarded-For': address,
      Cookie: stringifyCookie(Object.fromEntries(this.#cookies)),
      ...(method === 'POST' && { 'Content-Type': 'application/x-www-form-urlencoded' }),
    };
    const url = new URL(path, origin);
    const open = url.protocol === 'https:' ? requestHttps : requestHttp;
    return new Promise((resolve, reject) => {
      const request = open(url, { method, headers, agent: false, ca: certificate?.cert }, (response) => {
        this.#keep(response.headers['set-cookie'] ?? []);
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        );
        response.once('error', reject);
      });
      request.once('error', reject);
      request.end(body);
    });
  }

  #keep(lines: readonly string[]): void {
    for (const line of lines) {
      const { name, value, expires, maxAge } = parseSetCookie(line);
      const isRemoved = maxAge === 0 || (expires !== undefined && expires.getTime() <= Date.now());
      if (isRemoved || value === undefined) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
  }
}
