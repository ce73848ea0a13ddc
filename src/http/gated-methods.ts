import type { ServerResponse } from 'node:http';
import { RequestSlot } from './request-slot.js';

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

const GATE = Symbol('nest-sessions response gate');

/** Gates of responses whose prototype is gated, by request. */
const gates = new RequestSlot<Gate>('nest-sessions response gate');
const gatedPrototypes = new WeakSet<object>();

/** Sends every call that would send something through the gate, and the word that the response is over. */
export function standBefore(response: ServerResponse, gate: Gate): Originals {
  const prototype = Object.getPrototypeOf(response) as object;
  const isShared =
    response.req !== undefined &&
    isOfExpress(prototype) &&
    !METHODS.some((method) => Object.hasOwn(response, method));
  return isShared ? standBeforeShared(response, prototype, gate) : standBeforeOwn(response, gate);
}

/**
 * Whether all responses of an Express app inherit from it, and keep it. Express gives each response this prototype,
 * and with it a shape of its own, so that properties of its own would cost more than the rest of the gate. A mounted
 * app takes the prototype away again when a request leaves it.
 */
function isOfExpress(prototype: object): boolean {
  if (!Object.hasOwn(prototype, 'app')) return false;
  const app: unknown = Object.getOwnPropertyDescriptor(prototype, 'app')?.value;
  return typeof app === 'function' && !('parent' in app && Boolean(app.parent));
}

function standBeforeShared(response: ServerResponse, prototype: object, gate: Gate): Originals {
  if (!gatedPrototypes.has(prototype)) gatePrototype(prototype);
  gates.set(response.req, gate);
  response.on('close', tellOfClose);
  return {
    call: (method, args) => inherited(prototype, method).apply(response, args as unknown[]),
  };
}

function gatePrototype(prototype: object): void {
  gatedPrototypes.add(prototype);
  for (const method of METHODS) {
    Object.defineProperty(prototype, method, {
      configurable: true,
      writable: true,
      value(this: ServerResponse, ...args: unknown[]): unknown {
        const gate = gateOf(this);
        return gate ? gate.pass(method, args) : inherited(prototype, method).apply(this, args);
      },
    });
  }
}

function gateOf(response: Pick<ServerResponse, never> & { readonly req?: object }): Gate | undefined {
  return response.req && gates.get(response.req);
}

/** Looked up each time: what traces requests may replace the methods of Node later. */
function inherited(prototype: object, method: Method): Methods[Method] {
  return (Object.getPrototypeOf(prototype) as Methods)[method];
}

function tellOfClose(this: ServerResponse): void {
  gateOf(this)?.tellClosed();
}

/** Own methods, the same functions for all responses: closures or property descriptors for each cost more. */
function standBeforeOwn(response: ServerResponse, gate: Gate): Originals {
  const gated = response as unknown as Methods & { [GATE]: Gate };
  const { write, end, writeHead, flushHeaders } = gated;
  const originals: Methods = { write, end, writeHead, flushHeaders };
  gated[GATE] = gate;
  gated.write = OWN.write;
  gated.end = OWN.end;
  gated.writeHead = OWN.writeHead;
  gated.flushHeaders = OWN.flushHeaders;
  response.on('close', tellOwnOfClose);
  return { call: (method, args) => originals[method].apply(response, args as unknown[]) };
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
  (this as { [GATE]: Gate })[GATE].tellClosed();
}
