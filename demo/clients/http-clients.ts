import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { AddressInfo, Server } from 'node:net';
import { IS_HTTPS } from '../settings.js';
import { HttpClient, type HttpClientInput } from './http-client.js';

/** Makes clients of this very server. */
@Injectable()
export class HttpClients {
  constructor(private readonly host: HttpAdapterHost) {}

  make(input: Omit<HttpClientInput, 'origin'>): HttpClient {
    const server: Server = this.host.httpAdapter.getHttpServer();
    const { port } = server.address() as AddressInfo;
    return new HttpClient({ ...input, origin: `${IS_HTTPS ? 'https' : 'http'}://localhost:${port}` });
  }
}
