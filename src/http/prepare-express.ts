import type { HttpAdapterHost } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { prepareRequest } from './express-session/req-session.js';
import { withAdapter } from './platform/http-adapter.js';
import { prepareResponse } from './response/response-methods.js';

type Handle = (request: object, response: ServerResponse, ...rest: unknown[]) => unknown;

/** Apps of Express whose requests are prepared. */
const prepared = new WeakSet<object>();

/**
 * Prepares each request that comes to the app's Express, and its response, before Express gives them prototypes: those
 * are taken away by every app of Express that a request comes through, so that nothing of ours may be on them. Whatever
 * server or function a request comes from, `handle` is the way in.
 */
export function prepareExpress(host: HttpAdapterHost): void {
  withAdapter(host, (adapter) => {
    if (adapter.getType() !== 'express') return;
    const express = adapter.getInstance<{ handle?: Handle }>();
    const { handle } = express;
    if (typeof handle !== 'function' || prepared.has(express)) return;
    prepared.add(express);
    express.handle = function (this: unknown, request, response, ...rest): unknown {
      prepareRequest(request);
      prepareResponse(response);
      return handle.call(this, request, response, ...rest);
    };
  });
}
