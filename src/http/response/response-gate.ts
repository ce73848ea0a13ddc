import type { ServerResponse } from 'node:http';
import { type Gate, type Method, type Originals, interceptMethods } from './response-methods.js';
import { markCommitted, refuseHeader } from './committed-response.js';
import { endEventStream, isEventStream } from './event-stream.js';
import { type ServedSession, setSessionHeaders } from './session-headers.js';
import { nextTick } from '../../core/timers.js';

/** What the gate asks for when the app sends a response: the session is saved first, then the head is composed. */
export interface ResponseExit {
  /**
   * What the head of the response has to say of the session, once everything is durable that must be before the first
   * byte leaves: at once when nothing is left to do. Called once.
   */
  leave(): ServedSession | Promise<ServedSession>;
  /** The response that takes the place of the held one when `leave` failed, and what its head has to say. */
  refusal(error: unknown): {
    readonly status: number;
    readonly body: object;
    readonly session: ServedSession;
  };
  /** What the head has to say by now: for another one, where Node has refused the first. */
  lookAgain(): ServedSession;
  /**
   * The head of an event stream has left, and the stream goes on for as long as its client stays. Called once at most.
   *
   * @param end ends the stream, as the app would, and its connection; what the app writes after that is dropped
   */
  streams(end: () => void): void;
  /** The app sends something of the event stream, behind its head. */
  sends(): void;
  /** The response has been sent, or its client has closed the connection. */
  closed(): void;
}

type Call = readonly [method: Method, args: readonly unknown[]];

/** `shut`: nothing has been sent yet. `holding`: the first byte waits. `open`: calls are made. `refused`: they are dropped. */
type GateState = 'shut' | 'holding' | 'open' | 'refused';

/** Headers that describe the body of the handler's answer, which is not sent. */
const ABOUT_BODY =
  /^(content-|etag$|last-modified$|location$|cache-control$|expires$|transfer-encoding$|trailer$|accept-ranges$)/;

/**
 * Holds a raw response back until its session is saved, in whichever way the app answers: calls of `write`, `end`,
 * `writeHead` and `flushHeaders` wait, and are then made in order. Where nothing has to be saved they are made at once.
 */
export class ResponseGate implements Gate {
  #state: GateState = 'shut';
  readonly #held: Call[] = [];
  readonly #originals: Originals;

  readonly #response: ServerResponse;
  readonly #exit: ResponseExit;
  /** What the head has to say of the session; `null` until that is known. */
  #session: ServedSession | null = null;
  /** Whether the headers of the session have been set, or the head had left before. */
  #isHeadDone = false;
  /** Whether Node has thrown at the headers of `writeHead`. */
  #wasHeadRefused = false;
  #dropsAfterEnd = false;
  #isEventStream = false;

  constructor(response: ServerResponse, exit: ResponseExit) {
    this.#response = response;
    this.#exit = exit;
    this.#originals = interceptMethods(response, this);
  }

  /** Whether the response waits for its session: what happens until then still happens before the first byte. */
  get isHolding(): boolean {
    return this.#state === 'holding';
  }

  /** Whether the head of the response is still to come, so that it can carry a cookie. */
  get isHeadPending(): boolean {
    return this.isHolding || (this.#state === 'shut' && !this.#response.headersSent);
  }

  close(): void {
    this.#exit.closed();
  }

  pass(method: Method, args: readonly unknown[]): unknown {
    if (this.#state === 'shut') this.#askToLeave();
    if (this.#state === 'open') return this.#forward(method, args);
    if (this.#state === 'refused') drop(args);
    else if (method === 'writeHead' && this.#held.length > 0) refuseHeader();
    else this.#held.push([method, args]);
    // A held write reports a full buffer, so that its source waits for 'drain'; a refused one is swallowed.
    return method === 'write' ? this.#state === 'refused' : this.#response;
  }

  /** Before the first call that sends something: asks the session for what the head has to say, and waits if it must. */
  #askToLeave(): void {
    const leaving = this.#tryLeave();
    if (leaving instanceof Promise) {
      this.#state = 'holding';
      void this.#hold(leaving);
      return;
    }
    this.#session = leaving;
    this.#state = 'open';
  }

  async #hold(leaving: Promise<ServedSession>): Promise<void> {
    const restore = markCommitted(this.#response, () => this.#held.some(([method]) => method === 'end'));
    // Restored in the same turn in which the calls are made: a platform that looked in between would find no answer.
    try {
      this.#session = await leaving;
      restore();
      this.#release();
    } catch (error) {
      restore();
      this.#refuse(error);
    }
  }

  #tryLeave(): ServedSession | Promise<ServedSession> {
    try {
      return this.#exit.leave();
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #release(): void {
    this.#state = 'open';
    let isDrained = true;
    let wasHeldBack = false;
    for (const call of this.#held.splice(0)) {
      const result = this.#forward(...call);
      if (call[0] !== 'write') continue;
      wasHeldBack = true;
      isDrained = result !== false;
    }
    if (wasHeldBack && isDrained) this.#response.emit('drain');
  }

  #refuse(error: unknown): void {
    const response = this.#response;
    for (const [, args] of this.#held.splice(0)) drop(args);
    const { status, body, session } = this.#exit.refusal(error);
    this.#session = session;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    for (const name of response.getHeaderNames()) if (ABOUT_BODY.test(name)) response.removeHeader(name);
    const text = Buffer.from(JSON.stringify(body));
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.setHeader('Content-Length', text.length);
    response.statusCode = status;
    response.statusMessage = '';
    this.#state = 'open';
    this.dropAfterEnd();
    this.#forward('end', [text]);
    response.emit('drain');
  }

  /** The next answer replaces that of the handler: after its `end`, whatever the handler still writes is dropped. */
  dropAfterEnd(): void {
    this.#dropsAfterEnd = true;
  }

  #forward(method: Method, args: readonly unknown[]): unknown {
    const result = this.#make(method, args);
    if (method === 'end' && this.#dropsAfterEnd) this.#state = 'refused';
    return result;
  }

  #make(method: Method, args: readonly unknown[]): unknown {
    if (this.#isHeadDone) {
      if (this.#isEventStream && method === 'write') this.#exit.sends();
      return this.#originals.call(method, args);
    }
    // A head that Node refused for one of its headers was not sent, and the app may have changed the session since.
    if (this.#wasHeadRefused) this.#session = this.#exit.lookAgain();
    this.#wasHeadRefused = true;
    const rest = method === 'writeHead' ? this.#adoptHeaders(args) : args;
    this.#wasHeadRefused = false;
    if (!this.#response.headersSent && this.#session) setSessionHeaders(this.#response, this.#session);
    this.#isHeadDone = true;
    const result = this.#originals.call(method, rest);
    if (method !== 'end' && isEventStream(this.#response)) {
      this.#isEventStream = true;
      this.#exit.streams(() => this.#endStream());
    }
    return result;
  }

  #endStream(): void {
    if (this.#state !== 'open') return;
    this.dropAfterEnd();
    endEventStream(this.#response);
  }

  /** Headers given to `writeHead` become headers of the response, so that ours join them instead of losing to them. */
  #adoptHeaders([status, reason, given]: readonly unknown[]): readonly unknown[] {
    if (typeof status === 'number') this.#response.statusCode = status;
    const message = typeof reason === 'string' ? [reason] : [];
    const headers = typeof reason === 'object' && reason !== null ? reason : given;
    if (Array.isArray(headers)) this.#adoptPairs(Array.isArray(headers[0]) ? headers.flat() : headers);
    else if (typeof headers === 'object' && headers !== null) {
      for (const [name, value] of Object.entries(headers)) this.#response.setHeader(name, value as string);
    }
    return [status, ...message];
  }

  #adoptPairs(pairs: readonly string[]): void {
    for (let i = 0; i < pairs.length; i += 2) this.#response.removeHeader(pairs[i] ?? '');
    for (let i = 0; i < pairs.length; i += 2) this.#response.appendHeader(pairs[i] ?? '', pairs[i + 1] ?? '');
  }
}

/** A call that is never made calls back all the same, so that nobody waits for it. */
function drop(args: readonly unknown[]): void {
  const callback = args.at(-1);
  if (typeof callback === 'function') nextTick(callback);
}
