import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

interface Address {
  readonly host: string;
  readonly port: number;
}

/** A way to a server that can be shut and opened again, and that can stop carrying anything while it stays open. */
export class TcpGate {
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port = 0;
  #isStuck = false;
  #isHolding = false;
  #lost: RegExp | null = null;
  #mostLost = 0;
  #meanwhile: () => Promise<unknown> = () => Promise.resolve();
  #late: RegExp | null = null;
  #lateness = 0;
  #abandoned: Abandoned | null = null;
  readonly #held = new Set<Socket>();
  readonly #clients = new Set<Socket>();
  #swallowed: RegExp | null = null;

  constructor(private target: Address) {}

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

  /** How many connections are open. */
  get connections(): number {
    return this.#clients.size;
  }

  /** Ends every connection and refuses new ones. */
  async shut(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy();
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  /** From now on new connections lead there, as when a name has got another address. */
  lead(target: Address): void {
    this.target = target;
  }

  /** From now on nothing comes through, as if the cable had been cut. */
  stick(): void {
    this.#isStuck = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** What is open now carries nothing any more, and stays open; new connections do, as after a failover of an address. */
  forget(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  /** Lets through what has been held, and everything from now on. */
  unstick(): void {
    this.#isStuck = false;
    for (const socket of this.#sockets) socket.resume();
  }

  /** From now on the server hears everything and nobody hears what it says, until that comes all at once. */
  holdAnswers(): void {
    this.#isHolding = true;
  }

  /** Lets what the server has said through, and everything from now on. */
  releaseAnswers(): void {
    this.#isHolding = false;
    for (const socket of this.#held) socket.resume();
    this.#held.clear();
  }

  /**
   * Ends the connection of the next bytes that match when the server has answered them, instead of the answer.
   *
   * @param meanwhile is done before the connection ends
   */
  loseAnswerTo(bytes: RegExp, times = 1, meanwhile: () => Promise<unknown> = () => Promise.resolve()): void {
    this.#lost = bytes;
    this.#mostLost = times;
    this.#meanwhile = meanwhile;
  }

  /** From now on nobody hears what the server says to bytes that match, nor what it says after that, until so long after them. */
  delayAnswersTo(bytes: RegExp | null, milliseconds = 0): void {
    this.#late = bytes;
    this.#lateness = milliseconds;
  }

  /**
   * Resets the connection of the next bytes that match at the side of whoever sends them, at once, while the server's side
   * stays: the server hears them, and its connection ends with its answer.
   *
   * @param delivery the server hears them when this has resolved
   * @returns resolves when the server has answered
   */
  abandon(bytes: RegExp, delivery: Promise<unknown> = Promise.resolve()): Promise<void> {
    return new Promise((answered) => (this.#abandoned = { bytes, delivery, answered }));
  }

  #leave(from: Socket, to: Socket, data: Buffer, { delivery, answered }: Abandoned): void {
    this.#abandoned = null;
    from.removeAllListeners('data').removeAllListeners('close');
    to.removeAllListeners('data').once('data', () => to.end());
    to.once('close', answered);
    from.once('close', () => this.#sockets.delete(from));
    from.resetAndDestroy();
    void delivery.then(() => to.write(data));
  }

  /**
   * From bytes that match on, the connection that they are of carries nothing to the server, and stays open. `null`: those that
   * have carried all so far go on.
   */
  swallow(bytes: RegExp | null): void {
    this.#swallowed = bytes;
  }

  #carry(from: Socket): void {
    const to = connect(this.target);
    let isLost = false;
    let isSwallowing = false;
    this.#clients.add(from);
    from.on('close', () => this.#clients.delete(from));
    from.on('data', (data) => {
      isSwallowing ||= this.#swallowed?.test(data.toString('latin1')) ?? false;
    });
    from.on('data', (data) => {
      if (!this.#late?.test(data.toString('latin1'))) return;
      to.pause();
      setTimeout(() => to.resume(), this.#lateness);
    });
    from.on('data', (data) => {
      if (this.#mostLost === 0 || !this.#lost?.test(data.toString('latin1'))) return;
      this.#mostLost--;
      isLost = true;
    });
    if (this.#isHolding) {
      this.#held.add(to);
      to.pause();
    }
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.#sockets.add(one);
      one.on('data', (data) => {
        const isAbandoned = one === from && this.#abandoned?.bytes.test(data.toString('latin1'));
        if (isAbandoned && this.#abandoned) this.#leave(from, to, data, this.#abandoned);
        else if (one === from && isSwallowing) return;
        else if (one === to && isLost) void this.#meanwhile().finally(() => from.destroy());
        else other.write(data);
      });
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      if (this.#isStuck) one.pause();
    }
  }
}

/** What nobody waits for any more, though the server hears it. */
interface Abandoned {
  readonly bytes: RegExp;
  readonly delivery: Promise<unknown>;
  readonly answered: () => void;
}
