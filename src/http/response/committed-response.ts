import type { ServerResponse } from 'node:http';

/**
 * Makes a response whose first byte is held back behave as one whose head has left, so that no second answer gets
 * into the first. Returns the way back, which leads there once.
 *
 * @param hasEnded whether the app has ended the response
 */
export function pretendSent(response: ServerResponse, hasEnded: () => boolean): () => void {
  const { statusCode, statusMessage } = response;
  const guise = {
    headersSent: { configurable: true, get: () => true },
    writableEnded: { configurable: true, get: hasEnded },
    setHeader: { configurable: true, value: refuseHeader },
    setHeaders: { configurable: true, value: refuseHeader },
    appendHeader: { configurable: true, value: refuseHeader },
    removeHeader: { configurable: true, value: refuseHeader },
  };
  const before = Object.keys(guise).map(
    (name) => [name, Object.getOwnPropertyDescriptor(response, name)] as const,
  );
  Object.defineProperties(response, guise);
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    for (const [name, own] of before) {
      if (own) Object.defineProperty(response, name, own);
      else Reflect.deleteProperty(response, name);
    }
    Object.assign(response, { statusCode, statusMessage });
  };
}

/** What Node does when a header is changed after the head has left. */
export function refuseHeader(): never {
  const message = 'Cannot set headers after they are sent to the client';
  throw Object.assign(new Error(message), { code: 'ERR_HTTP_HEADERS_SENT' });
}
