import type { IncomingMessage, Server } from 'node:http';
import type { HttpAdapterHost } from '@nestjs/core';
import type { Clock } from '../../core/clock.js';
import { RequestLocal } from './request-local.js';

/** When the head of a request arrived, in epoch milliseconds. */
const arrivals = new RequestLocal<number>('nest-sessions arrival');

/**
 * Writes down when each request arrives, before anything else is told of it: guards are asked only when the body has
 * been read, which for an upload may be minutes later. To be called once the HTTP server is there and not yet listening.
 */
export function noteArrivalTimes(clock: Clock, { httpAdapter }: HttpAdapterHost): void {
  const server = httpAdapter?.getHttpServer() as Partial<Server> | undefined;
  server?.prependListener?.('request', (request: IncomingMessage) => arrivals.set(request, clock.now()));
}

/** When the head of the request arrived, in epoch milliseconds; `undefined` where no server has told, as with `inject`. */
export function arrivalTimeOf(request: object): number | undefined {
  return arrivals.get(request);
}
