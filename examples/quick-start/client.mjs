import { request } from 'node:http';
import { text } from 'node:stream/consumers';

/** A client that keeps cookies, as a browser does, and follows no redirect. It sends no header but those it is given. */
export class Client {
  cookies = new Map();

  /** @param headers what it sends with every request */
  constructor(origin, headers = {}) {
    this.origin = origin;
    this.headers = headers;
  }

  get(path, headers) {
    return this.#send('GET', path, headers);
  }

  post(path, body = {}, headers = {}) {
    return this.#send('POST', path, { 'Content-Type': 'application/json', ...headers }, JSON.stringify(body));
  }

  async #send(method, path, headers, body = '') {
    const Cookie = [...this.cookies].map((pair) => pair.join('=')).join('; ');
    const options = { method, headers: { ...this.headers, ...headers, Cookie } };
    const response = await new Promise((resolve, reject) => {
      request(new URL(path, this.origin), options, resolve).on('error', reject).end(body);
    });
    for (const line of response.headers['set-cookie'] ?? []) this.#keep(line);
    const content = await text(response);
    const isJson = response.headers['content-type']?.includes('json') === true;
    return {
      status: response.statusCode,
      headers: response.headers,
      body: isJson ? JSON.parse(content) : content,
    };
  }

  #keep(line) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (/; *max-age=0(;|$)|; *expires=Thu, 01 Jan 1970/i.test(line)) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}
