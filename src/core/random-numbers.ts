import { randomFillSync } from 'node:crypto';

/** Bytes that are asked for at once: those of sixteen ids. */
const BYTES = 256;

/**
 * Numbers from 0 to 1, without 1, of 8 random bits each, from the generator for cryptography. Node takes as long for one byte as
 * for 256, so these are had together.
 */
export function randomNumbers(): () => number {
  const bytes = Buffer.alloc(BYTES);
  let used = BYTES;
  return () => {
    if (used === BYTES) {
      randomFillSync(bytes);
      used = 0;
    }
    return bytes.readUInt8(used++) / 256;
  };
}
