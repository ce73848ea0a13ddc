import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** Cost of scrypt. @see OWASP Password Storage Cheat Sheet: N = 2^17, r = 8, p = 1 */
const COST = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 };

function derive(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize(), salt, 32, COST, (error, hash) => (error ? reject(error) : resolve(hash)));
  });
}

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  return `${salt.toString('base64url')}.${(await derive(password, salt)).toString('base64url')}`;
}

/** Takes as long for an account that does not exist (`stored` is `null`), so that nobody learns which names do. */
export async function isPassword(password: string, stored: string | null): Promise<boolean> {
  const [salt = '', hash = ''] = (stored ?? `${'A'.repeat(22)}.${'A'.repeat(43)}`).split('.');
  const derived = await derive(password, Buffer.from(salt, 'base64url'));
  return timingSafeEqual(derived, Buffer.from(hash, 'base64url')) && stored !== null;
}
