import type { HttpAdapterHost } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { prepareRequest } from './express-session/req-session.js';
import { withAdapter } from './platform/http-adapter.js';
import { prepareResponse } from './response/response-methods.js';

/**
 * Has `handle` of the app's Express prepare each request and response for sessions first. What we add are own properties:
 * each app of Express that a request comes through replaces the prototypes. `handle` is called for every request, whichever
 * server or function it comes from. Does nothing on Fastify.
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

/** Entry point of an app of Express. */
type Handle = (request: object, response: ServerResponse, ...rest: unknown[]) => unknown;

/** Apps of Express that are changed already. */
const prepared = new WeakSet<object>();
