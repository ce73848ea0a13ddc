import { connect } from 'node:net';

/** What came back over the wire. */
export interface RawReply {
  /** 0: the connection was closed without an answer. */
  readonly status: number;
  readonly text: string;
}

/** Sends bytes that no HTTP client would send, and reads until the server hangs up. */
export function sendRaw(port: number, bytes: Buffer): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // The server may hang up on a request that is too large before it has read all of it.
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    socket.on('close', () => {
      const text = Buffer.concat(chunks).toString('latin1');
      resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), text });
    });
  });
}

/** A GET with a Cookie header of these bytes. */
export function withCookieHeader(path: string, cookie: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`GET ${path} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\nCookie: `),
    cookie,
    Buffer.from('\r\n\r\n'),
  ]);
}
