import type { IncomingMessage, Server } from 'node:http';
import type { HttpAdapterHost } from '@nestjs/core';
import type { Clock } from '../../core/clock.js';
import { RequestLocal } from './request-local.js';

/**
 * From now on the server notes when the head of each request arrived. Guards run only when the body has been read, which for
 * an upload may be minutes later. To be called when the HTTP server exists and does not listen yet.
 */
export function noteArrivalTimes(clock: Clock, { httpAdapter }: HttpAdapterHost): void {
  const server = httpAdapter?.getHttpServer() as Partial<Server> | undefined;
  server?.prependListener?.('request', (request: IncomingMessage) => arrivals.set(request, clock.now()));
}

/** When the head of the request arrived, in epoch milliseconds; `undefined` when it came from no server, as with `inject`. */
export function arrivalTimeOf(request: object): number | undefined {
  return arrivals.get(request);
}

/** When the head of each request arrived, in epoch milliseconds. */
const arrivals = new RequestLocal<number>('nest-sessions arrival');
