import { generate } from 'selfsigned';
import { IS_HTTPS } from './settings.js';

/** A private key and its certificate, as PEM. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/**
 * A certificate for this machine that nobody vouches for: browsers warn of it once, and so they should. A real app has
 * one from an authority, mostly in the proxy in front. `null` without https.
 */
export const certificate: Certificate | null = IS_HTTPS ? await selfSigned() : null;

async function selfSigned(): Promise<Certificate> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { key, cert };
}
