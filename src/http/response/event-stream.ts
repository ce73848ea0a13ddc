import type { ServerResponse } from 'node:http';
import { clearTimeout, setTimeout } from '../../core/timers.js';

/*
 * Responses that go on for as long as their client stays: event streams.
 */

/** Milliseconds that a client has to read what was sent before the end of its stream. */
const GRACE = 1_000;

/**
 * Whether the response is an event stream. Other long responses, such as downloads, have an end of their own.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export function isEventStream(response: ServerResponse): boolean {
  const type = response.getHeader('Content-Type');
  return typeof type === 'string' && /^text\/event-stream\b/i.test(type);
}

/**
 * Ends an event stream as the app would, and then its connection: producers of events listen to that rather than to the
 * response, Nest's `@Sse()` among them. A client that does not read has its connection closed after a second.
 */
export function endEventStream(response: ServerResponse): void {
  const { socket } = response;
  const timer = setTimeout(() => socket?.destroy(), GRACE).unref();
  response.once('close', () => clearTimeout(timer));
  // Not over HTTP/2, whose connection serves other requests too: the platform gives each of them a socket that cannot be ended.
  if (response.req.httpVersionMajor === 1) response.once('finish', () => socket?.destroySoon());
  response.end();
}
