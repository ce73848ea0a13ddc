import { Injectable } from '@nestjs/common';
import { HttpClients } from '../clients/http-clients.js';

/** Devices that may sign in, one after the other. Addresses are those that are reserved for documentation. */
const DEVICES = [
  {
    userAgent:
      'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1',
    address: '198.51.100.42',
  },
  {
    userAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0',
    address: '192.0.2.18',
  },
  {
    userAgent:
      'Mozilla/5.0 (Linux; Android 16; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
    address: '198.51.100.7',
  },
  {
    userAgent:
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0',
    address: '203.0.113.99',
  },
];

/** Signs users in on devices that they do not have, so that one browser is enough to see the limit at work. */
@Injectable()
export class OtherDevices {
  readonly #count = new Map<string, number>();

  constructor(private readonly clients: HttpClients) {}

  /** Signs in on the next device, as a person would: by a form, over HTTP. */
  async signIn(userId: string): Promise<void> {
    const count = this.#count.get(userId) ?? 0;
    const device = DEVICES[count % DEVICES.length];
    if (!device) return;
    this.#count.set(userId, count + 1);
    await this.clients.make(device).send('POST', '/sign-in', { name: userId });
  }
}
