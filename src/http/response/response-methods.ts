import type { ServerResponse } from 'node:http';

/*
 * The four methods by which an app sends something of a response, replaced by ones that call the gate of the response.
 *
 * There are two ways. A response that was prepared before its platform touched it has the replaced methods from the start, and
 * a property for the gate (`PREPARED_GATE`). Any other response gets them when the gate is made (`GATE`). Both use the same
 * functions for all responses: closures or property descriptors for each of them take longer.
 */

/** The methods that send something of a response. */
export type Method = 'write' | 'end' | 'writeHead' | 'flushHeaders';

/** What the methods of a response call in place of sending. `ResponseGate` is one. */
export interface Gate {
  /** The app has called a method of the response. Returns what the method is to return. */
  pass(method: Method, args: readonly unknown[]): unknown;
  /** The response has been sent, or its client has closed the connection. */
  close(): void;
}

/** The methods that the response had before: those that send. */
export interface Originals {
  call(method: Method, args: readonly unknown[]): unknown;
}

type Methods = Record<Method, (...args: unknown[]) => unknown>;

const METHODS: readonly Method[] = ['write', 'end', 'writeHead', 'flushHeaders'];

/** The property of a prepared response that holds its gate; `null` until it has one. */
const PREPARED_GATE = Symbol('nest-sessions gate of a prepared response');
/** The property of any other response that holds its gate. */
const GATE = Symbol('nest-sessions response gate');

type PreparedResponse = Methods & { [PREPARED_GATE]?: Gate | null };
type GatedResponse = Methods & { [GATE]?: Gate };

/**
 * Prepares a response for a gate, before its platform has touched it: replaces its methods, and adds the property for the
 * gate. Own properties stay when its prototype is replaced, which each app of Express does that the response comes through.
 * Express gives each response a hidden class of its own, so that properties are cheap before that and expensive afterwards.
 */
export function prepareResponse(response: ServerResponse): void {
  // Somebody else has replaced them before: theirs are left, and are replaced by `interceptMethods`.
  if (METHODS.some((method) => Object.hasOwn(response, method))) return;
  const prepared = response as unknown as PreparedResponse;
  prepared[PREPARED_GATE] = null;
  prepared.write = PREPARED_METHODS.write;
  prepared.end = PREPARED_METHODS.end;
  prepared.writeHead = PREPARED_METHODS.writeHead;
  prepared.flushHeaders = PREPARED_METHODS.flushHeaders;
}

/** From now on the methods of the response call the gate, and so does its `close` event. Returns the methods that send. */
export function interceptMethods(response: ServerResponse, gate: Gate): Originals {
  return isPrepared(response as unknown as PreparedResponse)
    ? interceptPrepared(response, gate)
    : interceptUnprepared(response, gate);
}

/** Whether the response is prepared, has no gate yet, and nobody has replaced the methods since. */
function isPrepared(response: PreparedResponse): boolean {
  return (
    response[PREPARED_GATE] === null &&
    METHODS.every((method) => response[method] === PREPARED_METHODS[method])
  );
}

function interceptPrepared(response: ServerResponse, gate: Gate): Originals {
  const prepared = response as unknown as PreparedResponse;
  prepared[PREPARED_GATE] = gate;
  response.on('close', closePrepared);
  return { call: (method, args) => inherited(prepared, method).apply(response, args as unknown[]) };
}

const PREPARED_METHODS: Methods = {
  write: preparedMethod('write'),
  end: preparedMethod('end'),
  writeHead: preparedMethod('writeHead'),
  flushHeaders: preparedMethod('flushHeaders'),
};

function preparedMethod(method: Method): Methods[Method] {
  return function (this: PreparedResponse, ...args) {
    const gate = this[PREPARED_GATE];
    return gate ? gate.pass(method, args) : inherited(this, method).apply(this, args);
  };
}

/**
 * The method of the prototype. It is looked up for each call, because the platform replaces prototypes, and tracing libraries
 * may replace the methods of Node later.
 */
function inherited(response: PreparedResponse, method: Method): Methods[Method] {
  let prototype = Object.getPrototypeOf(response) as Methods;
  // `response` may be somebody's object that inherits from the response.
  while (prototype[method] === PREPARED_METHODS[method])
    prototype = Object.getPrototypeOf(prototype) as Methods;
  return prototype[method];
}

function closePrepared(this: unknown): void {
  (this as PreparedResponse)[PREPARED_GATE]?.close();
}

function interceptUnprepared(response: ServerResponse, gate: Gate): Originals {
  const gated = response as unknown as GatedResponse;
  const { write, end, writeHead, flushHeaders } = gated;
  const originals: Methods = { write, end, writeHead, flushHeaders };
  const sending: Originals = { call: (method, args) => originals[method].apply(response, args as unknown[]) };
  if (gated[GATE]) return interceptGated(response, gate, sending);
  gated[GATE] = gate;
  gated.write = GATED_METHODS.write;
  gated.end = GATED_METHODS.end;
  gated.writeHead = GATED_METHODS.writeHead;
  gated.flushHeaders = GATED_METHODS.flushHeaders;
  response.on('close', closeGated);
  return sending;
}

/** For a response that has a gate already, as where one app serves it inside another: `sending` then calls that gate. */
function interceptGated(response: ServerResponse, gate: Gate, sending: Originals): Originals {
  for (const method of METHODS) {
    Object.assign(response, { [method]: (...args: unknown[]) => gate.pass(method, args) });
  }
  response.on('close', () => gate.close());
  return sending;
}

const GATED_METHODS: Methods = {
  write: gatedMethod('write'),
  end: gatedMethod('end'),
  writeHead: gatedMethod('writeHead'),
  flushHeaders: gatedMethod('flushHeaders'),
};

function gatedMethod(method: Method): Methods[Method] {
  return function (this: unknown, ...args) {
    return (this as { [GATE]: Gate })[GATE].pass(method, args);
  };
}

function closeGated(this: unknown): void {
  (this as GatedResponse)[GATE]?.close();
}
