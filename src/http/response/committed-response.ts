import type { ServerResponse } from 'node:http';

/**
 * Makes a response that has not been sent yet look committed, as if its head had left: headers cannot be changed, and
 * `headersSent` is `true`. While the gate holds the first byte back, this keeps a second answer of the app out of the first.
 *
 * @param hasEnded whether the app has ended the response
 * @returns restores the response, with the status that it had; calling it again does nothing
 */
export function markCommitted(response: ServerResponse, hasEnded: () => boolean): () => void {
  const { statusCode, statusMessage } = response;
  const committed = {
    headersSent: { configurable: true, get: () => true },
    writableEnded: { configurable: true, get: hasEnded },
    setHeader: { configurable: true, value: refuseHeader },
    setHeaders: { configurable: true, value: refuseHeader },
    appendHeader: { configurable: true, value: refuseHeader },
    removeHeader: { configurable: true, value: refuseHeader },
  };
  const own = Object.keys(committed).map(
    (name) => [name, Object.getOwnPropertyDescriptor(response, name)] as const,
  );
  Object.defineProperties(response, committed);
  let isRestored = false;
  return () => {
    if (isRestored) return;
    isRestored = true;
    for (const [name, descriptor] of own) {
      if (descriptor) Object.defineProperty(response, name, descriptor);
      else Reflect.deleteProperty(response, name);
    }
    Object.assign(response, { statusCode, statusMessage });
  };
}

/** Throws what Node throws when a header is changed after the head of the response has left. */
export function refuseHeader(): never {
  const message = 'Cannot set headers after they are sent to the client';
  throw Object.assign(new Error(message), { code: 'ERR_HTTP_HEADERS_SENT' });
}
