import { IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';

/** What came back, as it went over the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/**
 * A GET without a socket and without a parser, so that headers can be any strings. The server, its framework and its
 * response are the real ones.
 */
export function getInProcess(
  server: Server,
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const sink = new Writable({
      write: (chunk: Buffer, _, done) => {
        chunks.push(chunk);
        done();
      },
    });
    const socket = Object.assign(sink, { remoteAddress: '127.0.0.1' }) as unknown as Socket;
    const request = new IncomingMessage(socket);
    Object.assign(request, {
      method: 'GET',
      url,
      httpVersion: '1.1',
      httpVersionMajor: 1,
      httpVersionMinor: 1,
    });
    request.headers = { host: 'app.test', ...headers };
    request.push(null);
    const response = new ServerResponse(request);
    response.assignSocket(socket);
    response.once('error', reject);
    response.once('finish', () => {
      response.detachSocket(socket);
      response.emit('close');
      const [head = '', ...body] = Buffer.concat(chunks).toString('latin1').split('\r\n\r\n');
      resolve({ status: response.statusCode, head, body: body.join('\r\n\r\n') });
    });
    server.emit('request', request, response);
  });
}
