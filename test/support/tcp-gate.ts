import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** A way to a server that can be shut and opened again, and that can stop carrying anything while it stays open. */
export class TcpGate {
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port = 0;
  #isStuck = false;

  constructor(private readonly target: { readonly host: string; readonly port: number }) {}

  /** Where it is; known once it has been open. */
  get port(): number {
    return this.#port;
  }

  async open(): Promise<void> {
    const server = createServer((socket) => this.#carry(socket));
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Ends every connection and refuses new ones. */
  async shut(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy();
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  /** From now on nothing comes through, as if the cable had been cut. */
  stick(): void {
    this.#isStuck = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Lets through what has been held, and everything from now on. */
  unstick(): void {
    this.#isStuck = false;
    for (const socket of this.#sockets) socket.resume();
  }

  #carry(from: Socket): void {
    const to = connect(this.target);
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.#sockets.add(one);
      one.on('data', (data) => other.write(data));
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      if (this.#isStuck) one.pause();
    }
  }
}
