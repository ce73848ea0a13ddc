/** What a sealed payload is made of, in the order of its bytes. */
export const PAYLOAD_PARTS = [
  { name: 'format', length: 1 },
  { name: 'key id', length: 4 },
  { name: 'nonce', length: 12 },
  { name: 'ciphertext', length: null },
  { name: 'tag', length: 16 },
] as const;

export interface PayloadPart {
  readonly name: (typeof PAYLOAD_PARTS)[number]['name'];
  readonly hex: string;
}

/** The parts of a sealed payload. What is not of a known length is what the others leave. */
export function partsOfPayload(payload: Buffer): PayloadPart[] {
  const fixed = PAYLOAD_PARTS.reduce((sum, { length }) => sum + (length ?? 0), 0);
  let start = 0;
  return PAYLOAD_PARTS.map(({ name, length }) => {
    const end = start + (length ?? Math.max(payload.length - fixed, 0));
    const hex = payload.toString('hex', start, end);
    start = end;
    return { name, hex };
  });
}
