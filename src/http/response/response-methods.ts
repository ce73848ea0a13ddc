import type { ServerResponse } from 'node:http';

/** Ways to send something of a response. */
export type Method = 'write' | 'end' | 'writeHead' | 'flushHeaders';

/** What stands before a response. */
export interface Gate {
  /** A call of the app. */
  pass(method: Method, args: readonly unknown[]): unknown;
  /** The response is over, or its client went away. */
  tellClosed(): void;
}

/** The methods of a response as they are behind its gate. */
export interface Originals {
  call(method: Method, args: readonly unknown[]): unknown;
}

type Methods = Record<Method, (...args: unknown[]) => unknown>;

const METHODS: readonly Method[] = ['write', 'end', 'writeHead', 'flushHeaders'];

/** The place that a response was given for its gate before anything else saw it; `null` until there is one. */
const SEAT = Symbol('nest-sessions seat of the response gate');
const GATE = Symbol('nest-sessions response gate');

type Seated = Methods & { [SEAT]?: Gate | null };
type Gated = Methods & { [GATE]?: Gate };

/**
 * Gives a response gated methods of its own, and a place for the gate, before its platform has touched it. Whoever
 * takes its prototype away later, as each app of Express does that it comes through, leaves them in force. Express gives
 * each response a shape of its own, in which every later property is a new shape: what is there before costs nothing.
 */
export function prepareResponse(response: ServerResponse): void {
  if (METHODS.some((method) => Object.hasOwn(response, method))) return; // wrapped already: the gate stands before that
  const seated = response as unknown as Seated;
  seated[SEAT] = null;
  seated.write = SEATED.write;
  seated.end = SEATED.end;
  seated.writeHead = SEATED.writeHead;
  seated.flushHeaders = SEATED.flushHeaders;
}

/** Sends every call that would send something through the gate, and the word that the response is over. */
export function standBefore(response: ServerResponse, gate: Gate): Originals {
  return isPrepared(response as unknown as Seated)
    ? takeSeat(response, gate)
    : standBeforeOwn(response, gate);
}

/** Whether the place for the gate is free, and nobody has wrapped the methods since. */
function isPrepared(response: Seated): boolean {
  return response[SEAT] === null && METHODS.every((method) => response[method] === SEATED[method]);
}

function takeSeat(response: ServerResponse, gate: Gate): Originals {
  const seated = response as unknown as Seated;
  seated[SEAT] = gate;
  response.on('close', tellSeatOfClose);
  return { call: (method, args) => inherited(seated, method).apply(response, args as unknown[]) };
}

const SEATED: Methods = {
  write: throughSeat('write'),
  end: throughSeat('end'),
  writeHead: throughSeat('writeHead'),
  flushHeaders: throughSeat('flushHeaders'),
};

function throughSeat(method: Method): Methods[Method] {
  return function (this: Seated, ...args) {
    const gate = this[SEAT];
    return gate ? gate.pass(method, args) : inherited(this, method).apply(this, args);
  };
}

/** Looked up each time: prototypes change on the way, and what traces requests may replace the methods of Node later. */
function inherited(response: Seated, method: Method): Methods[Method] {
  let prototype = Object.getPrototypeOf(response) as Methods;
  // `response` may be somebody's object that inherits from the response.
  while (prototype[method] === SEATED[method]) prototype = Object.getPrototypeOf(prototype) as Methods;
  return prototype[method];
}

function tellSeatOfClose(this: unknown): void {
  (this as Seated)[SEAT]?.tellClosed();
}

/** Own methods, the same functions for all responses: closures or property descriptors for each cost more. */
function standBeforeOwn(response: ServerResponse, gate: Gate): Originals {
  const gated = response as unknown as Gated;
  const { write, end, writeHead, flushHeaders } = gated;
  const originals: Methods = { write, end, writeHead, flushHeaders };
  const behind: Originals = { call: (method, args) => originals[method].apply(response, args as unknown[]) };
  if (gated[GATE]) return standBeforeGate(response, gate, behind);
  gated[GATE] = gate;
  gated.write = OWN.write;
  gated.end = OWN.end;
  gated.writeHead = OWN.writeHead;
  gated.flushHeaders = OWN.flushHeaders;
  response.on('close', tellOwnOfClose);
  return behind;
}

/** A gate behind which there is one already. */
function standBeforeGate(response: ServerResponse, gate: Gate, behind: Originals): Originals {
  for (const method of METHODS) {
    Object.assign(response, { [method]: (...args: unknown[]) => gate.pass(method, args) });
  }
  response.on('close', () => gate.tellClosed());
  return behind;
}

const OWN: Methods = {
  write: throughOwn('write'),
  end: throughOwn('end'),
  writeHead: throughOwn('writeHead'),
  flushHeaders: throughOwn('flushHeaders'),
};

function throughOwn(method: Method): Methods[Method] {
  return function (this: unknown, ...args) {
    return (this as { [GATE]: Gate })[GATE].pass(method, args);
  };
}

function tellOwnOfClose(this: unknown): void {
  (this as Gated)[GATE]?.tellClosed();
}
