import { AsyncLocalStorage } from 'node:async_hooks';
import { RECORDER } from './instrument.mjs';

/**
 * Records which functions are entered, and by which function each is called, over `await`, callbacks and timers.
 * A call is open until it returns, or until the promise that it returns is settled.
 */
export class Recorder {
  #sites;
  #calls = null;
  #part = null;
  #openPerClass = new Map();
  #passes = 0;
  #current = new AsyncLocalStorage();

  /** @param sites what the ids in instrumented code stand for */
  constructor(sites) {
    this.#sites = sites;
    globalThis[RECORDER] = this;
  }

  /** Begins a recording. */
  start() {
    this.#calls = [];
    this.#part = 'in';
    this.#openPerClass.clear();
  }

  /** Calls from now on belong to another part of the request: `in`, `handler` or `out`. */
  enterPart(part) {
    this.#part = part;
  }

  /** Ends the recording: its calls, in the order in which they were entered. */
  stop() {
    const calls = this.#calls;
    this.#calls = null;
    return calls;
  }

  /** What instrumented code calls: `body` is what the function does. */
  run(id, body) {
    const calls = this.#calls;
    if (calls === null) return body();
    const call = this.#begin(id);
    calls.push(call);
    const end = () => this.#end(call, calls);
    let result;
    try {
      result = this.#current.run(call, body);
    } catch (error) {
      end();
      throw error;
    }
    // Promises of a class of their own may count who waits for them: they are left alone.
    if (result?.constructor === Promise) result.then(end, end);
    else end();
    return result;
  }

  #begin(id) {
    const { file, className, name } = this.#sites[id];
    const key = className === null ? null : `${file} ${className}`;
    const open = this.#openPerClass.get(key) ?? 0;
    if (key !== null) this.#openPerClass.set(key, open + 1);
    const parent = this.#current.getStore() ?? null;
    const caller = openAncestor(parent);
    return {
      file,
      className,
      name,
      key,
      part: this.#part,
      parent,
      isOpen: true,
      pass: caller?.pass ?? ++this.#passes,
      isFromOutside: open === 0 && parent?.key !== key,
    };
  }

  #end(call, calls) {
    call.isOpen = false;
    const { key } = call;
    if (key === null || calls !== this.#calls) return;
    this.#openPerClass.set(key, (this.#openPerClass.get(key) ?? 1) - 1);
  }
}

/** The closest call around that has not ended. Without one, it is the platform that calls. */
function openAncestor(call) {
  let at = call;
  while (at !== null && !at.isOpen) at = at.parent;
  return at;
}
