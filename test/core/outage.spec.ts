import { Outage } from '../../src/core/outage.js';
import { openStore } from './support/open-store.js';
import { OpenMemoryBackend, WrappedBackend } from './support/backends.js';

function openOutage() {
  const lines: string[] = [];
  const outage = new Outage({
    warn: (message) => void lines.push(message.replace(/\d+ s/, 'N s')),
    error: (message) => void lines.push(message),
  });
  return { outage, lines };
}

const FAILS = 'Session storage fails: locked. Requests with a session get 503 until it works again';
const WORKS = 'Session storage works again, after N s';

describe('an outage of writes alone', () => {
  it('is one outage while reads go on: the log has one line when it begins and one when a write succeeds', () => {
    const { outage, lines } = openOutage();
    for (let n = 0; n < 100; n++) {
      outage.failed('write', 'locked');
      outage.succeeded('read');
    }
    expect(lines).toEqual([FAILS]);
    outage.succeeded('write');
    outage.succeeded('write');
    expect(lines).toEqual([FAILS, WORKS]);
  });

  it('that becomes one of reads too is told once more', () => {
    const { outage, lines } = openOutage();
    outage.failed('write', 'locked');
    outage.failed('read', 'locked');
    outage.failed('read', 'locked');
    expect(lines).toEqual([FAILS, FAILS]);
    outage.succeeded('write');
    expect(lines).toEqual([FAILS, FAILS, WORKS]);
  });
});

describe('an outage of everything', () => {
  it('is told once, whichever call meets it first, and ends with the first write that succeeds', () => {
    const { outage, lines } = openOutage();
    outage.failed('read', 'locked');
    outage.failed('write', 'locked');
    outage.failed('read', 'locked');
    expect(lines).toEqual([FAILS]);
    outage.succeeded('write');
    outage.succeeded('read');
    expect(lines).toEqual([FAILS, WORKS]);
  });

  it('that only the reads come back from goes on until a write succeeds', () => {
    const { outage, lines } = openOutage();
    outage.failed('read', 'locked');
    outage.failed('write', 'locked');
    outage.succeeded('read');
    outage.failed('write', 'locked');
    expect(lines).toEqual([FAILS]);
    outage.succeeded('write');
    expect(lines).toEqual([FAILS, WORKS]);
  });
});

describe('checkHealth', () => {
  it('finds storage that can be read but not written', async () => {
    const { store, backend } = openStore({}, new WrappedBackend(new OpenMemoryBackend()));
    const isWrite = (method: string) => !['init', 'find', 'list', 'walk', 'keysInUse'].includes(method);
    backend.around = (method, call) => (isWrite(method) ? Promise.reject(new Error('read-only')) : call());
    expect(await store.checkHealth()).toMatchObject({
      healthy: false,
      problems: [{ code: 'unreachable', message: 'Could not record the use of a session: read-only' }],
    });
  });

  it('changes nothing, not even a session that has the id of its probe', async () => {
    const { store } = openStore({}, new WrappedBackend(new OpenMemoryBackend()));
    await store.put('nest-sessions health', { userId: null, data: {} }, '1h');
    const before = await store.load('nest-sessions health');
    expect((await store.checkHealth()).healthy).toBe(true);
    expect(await store.load('nest-sessions health')).toEqual(before);
  });
});
