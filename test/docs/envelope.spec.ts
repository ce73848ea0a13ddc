import { createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import { SessionStore } from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';

const KEY = Buffer.alloc(32, 'key of the envelope spec');

/** As the README says, with nothing of ours. */
function derived(purpose: string, length = 32): Buffer {
  return Buffer.from(hkdfSync('sha256', KEY, Buffer.alloc(0), `nest-sessions/1 ${purpose}`, length));
}

async function stored() {
  const backend = new MemorySessionBackend();
  const store = new SessionStore(backend, { key: KEY });
  const { session, token } = await store.create({ ip: '192.0.2.1' }, 'ada', { theme: 'dark' });
  const [row] = await backend.find([session.id]);
  if (!row) throw new Error('Nothing was stored');
  return { row, session, cookie: token.reveal() };
}

describe('what the README says of the cryptography', () => {
  it('opens a payload with node:crypto alone: HKDF, a subkey per session, AES-256-GCM', async () => {
    const { row, session } = await stored();
    const { payload } = row;
    const [header, nonce] = [payload.subarray(0, 17), payload.subarray(5, 17)];
    expect(payload.subarray(0, 5)).toEqual(Buffer.concat([Buffer.of(1), derived('key id', 4)]));

    const subkey = createHmac('sha256', derived('seal payloads')).update(session.id).digest();
    const decipher = createDecipheriv('aes-256-gcm', subkey, nonce, { authTagLength: 16 });
    decipher.setAAD(Buffer.concat([header, Buffer.from(JSON.stringify([session.id, 'ada']))]));
    decipher.setAuthTag(payload.subarray(-16));
    const text = decipher.update(payload.subarray(17, -16), undefined, 'utf8') + decipher.final('utf8');
    const kin = expect.stringMatching(/^[\w-]{22}$/) as string;
    expect(JSON.parse(text)).toEqual([{ ip: '192.0.2.1' }, [], { theme: 'dark' }, { kin }]);
  });

  it('reads a cookie: id, generation, what tokens share, 256 bits, and a MAC of 128 under a key of its own', async () => {
    const { row, session, cookie } = await stored();
    const [, id, generation, kin = '', bits = '', mac] =
      /^(.{26})(.{6})(.{22})(.{43})(.{22})$/.exec(cookie) ?? [];
    expect([id, generation]).toEqual([session.id, '000000']);
    expect(Buffer.from(kin, 'base64url')).toHaveLength(16);
    expect(Buffer.from(bits, 'base64url')).toHaveLength(32);
    const text = `cookie token ${id}${generation}${kin}${bits}`;
    const signed = createHmac('sha256', derived('sign tokens')).update(text).digest();
    expect(mac).toBe(signed.toString('base64url', 0, 16));
    expect(row.tokenHash).toBe(createHash('sha256').update(cookie).digest('hex'));
  });
});
