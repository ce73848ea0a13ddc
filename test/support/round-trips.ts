import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { SERVER_KINDS } from './databases.js';

/** How the messages of a client are framed, and which of them it waits for an answer to. */
interface Protocol {
  /** Bytes of the message that begins here; `null`: more have to come before that is known. */
  sizeOf(bytes: Buffer, isFirst: boolean): number | null;
  isAwaited(message: Buffer, isFirst: boolean): boolean;
}

/** @see https://www.postgresql.org/docs/current/protocol-message-formats.html Query and Sync are answered by ReadyForQuery */
const POSTGRES: Protocol = {
  sizeOf: (bytes, isFirst) => {
    const start = isFirst ? 0 : 1; // the first message has no type
    return bytes.length < start + 4 ? null : start + bytes.readInt32BE(start);
  },
  isAwaited: (message, isFirst) => !isFirst && (message[0] === 0x51 || message[0] === 0x53), // Q, S
};

/** @see https://mariadb.com/kb/en/0-packet/ A command begins a sequence of packets. */
const MYSQL: Protocol = {
  sizeOf: (bytes) => (bytes.length < 4 ? null : 4 + bytes.readUIntLE(0, 3)),
  isAwaited: (message) => message[3] === 0,
};

const PROTOCOLS = { postgres: POSTGRES, mariadb: MYSQL } as const satisfies Record<
  (typeof SERVER_KINDS)[number],
  Protocol
>;

/** A way to a database server that counts how many times its clients wait for an answer. */
export class RoundTrips {
  #count = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly protocol: Protocol,
    target: { readonly host: string; readonly port: number },
  ) {
    this.#server = createServer((from) => {
      const to = connect(target);
      this.#join(from, to);
      this.#join(to, from);
      this.#watch(from);
    });
  }

  static async open(
    kind: keyof typeof PROTOCOLS,
    target: { readonly host: string; readonly port: number },
  ): Promise<RoundTrips> {
    const trips = new RoundTrips(PROTOCOLS[kind], target);
    await new Promise<void>((resolve) => trips.#server.listen(0, '127.0.0.1', resolve));
    return trips;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many there are while this goes on. */
  async during(work: () => Promise<unknown>): Promise<number> {
    const before = this.#count;
    await work();
    return this.#count - before;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(one: Socket, other: Socket): void {
    this.#sockets.add(one);
    one.pipe(other);
    one.on('error', () => other.destroy());
    one.on('close', () => {
      this.#sockets.delete(one);
      other.destroy();
    });
  }

  #watch(client: Socket): void {
    let rest = Buffer.alloc(0);
    let isFirst = true;
    client.on('data', (data) => {
      rest = Buffer.concat([rest, data]);
      for (;;) {
        const size = this.protocol.sizeOf(rest, isFirst);
        if (size === null || rest.length < size) return;
        if (this.protocol.isAwaited(rest.subarray(0, size), isFirst)) this.#count++;
        rest = rest.subarray(size);
        isFirst = false;
      }
    });
  }
}
