import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** A server that takes mails by SMTP, and keeps them. */
export interface MailServer {
  /** The next mail that has not been asked for yet, with its head, as soon as it is there. */
  next(): Promise<string>;
  /** How many mails have come and not been asked for. */
  waiting(): number;
  close(): void;
}

/** Opens one on a port of its own, and has `SMTP_URL` lead there until it is closed. */
export async function openMailServer(): Promise<MailServer> {
  const mails: string[] = [];
  const urlBefore = process.env['SMTP_URL'];
  const server = createServer((socket) => {
    let [received, isMail] = ['', false];
    const answerTo = (line: string): string => {
      if (isMail) {
        mails.push(line.replaceAll('=\r\n', '').replaceAll('=3D', '='));
        server.emit('mail');
      }
      isMail = !isMail && line === 'DATA';
      if (isMail) return '354 go on';
      return line === 'QUIT' ? '221 bye' : '250 fine';
    };
    socket.write('220 ready\r\n');
    socket.on('data', (bytes) => {
      received += bytes.toString();
      for (;;) {
        const end = isMail ? '\r\n.\r\n' : '\r\n';
        const at = received.indexOf(end);
        if (at < 0) return;
        const line = received.slice(0, at);
        received = received.slice(at + end.length);
        socket.write(`${answerTo(line)}\r\n`);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.env['SMTP_URL'] = `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    async next() {
      if (mails.length === 0) await once(server, 'mail');
      return mails.shift() ?? '';
    },
    waiting: () => mails.length,
    close() {
      server.close();
      if (urlBefore === undefined) delete process.env['SMTP_URL'];
      else process.env['SMTP_URL'] = urlBefore;
    },
  };
}
