import fc from 'fast-check';
import { describeClient, fitMeta } from '../../../src/http/session/client-meta.js';

/** What agents are made of, and what attackers put there. */
const PARTS = [
  'Mozilla/5.0 ',
  '(Macintosh; Intel Mac OS X 10_15_7) ',
  'Chrome/140.0.0.0 ',
  'Version/18.0 ',
  'bot',
  '(((',
  '/',
  '<b>x</b>',
  '__proto__',
  'constructor/1',
  '"',
  "'",
  '\\',
  ' ',
  '\t',
  'é',
  '\u202E',
  '😀',
  '\uD800',
  '(SMART-TV; Tizen)',
];

const agents = fc.oneof(
  fc.array(fc.constantFrom(...PARTS), { maxLength: 200 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 2_000 }),
);

describe('what is kept about a client', () => {
  it('has a plain name and a known type, whatever the agent says', () => {
    fc.assert(
      fc.property(agents, (agent) => {
        const { userAgent, deviceName, deviceType } = describeClient({ headers: { 'user-agent': agent } });
        expect(deviceName).toMatch(/^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._+-]{0,63}$/u);
        expect(['desktop', 'mobile', 'tablet', 'tv', 'bot', 'unknown']).toContain(deviceType);
        expect(userAgent).toBe(agent === '' ? null : agent.slice(0, 512));
      }),
      { numRuns: 2_000 },
    );
  });

  it('fits, and leaves what the app gave as it is, unless that is too large alone', () => {
    const meta = fc.object({
      maxDepth: 2,
      maxKeys: 12,
      withNullPrototype: false,
      key: fc.string({ maxLength: 300 }).filter((key) => key !== '__proto__'),
      values: [fc.string({ unit: 'binary', maxLength: 4_000 }), fc.integer(), fc.constant(null)],
    }) as fc.Arbitrary<Parameters<typeof fitMeta>[0]>;
    fc.assert(
      fc.property(meta, meta, (client, own) => {
        const fitted = fitMeta(client, own);
        const size = Buffer.byteLength(JSON.stringify(fitted));
        expect(fitted).toMatchObject(own);
        if (size > 4_096) expect(fitted).toEqual(own);
        if (Buffer.byteLength(JSON.stringify({ ...client, ...own })) <= 4_096)
          expect(fitted).toEqual({ ...client, ...own });
      }),
      { numRuns: 500 },
    );
  });
});
