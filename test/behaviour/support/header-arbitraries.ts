import fc, { type Arbitrary } from 'fast-check';
import type { Headers, Tokens } from './fuzzed-app.js';

const NAME = '__Host-sid';
/** Where the parts of a token begin that follow its session id: generation, what all tokens share, secret, signature. */
const PARTS = [26, 32, 54, 97] as const;
const [, , , SIGNATURE] = PARTS;
/** Of a token. */
export const LENGTH = 119;
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Characters that mean something to somebody: separators, quotes, escapes, spaces of all kinds, controls. */
const SPICE = [
  '"',
  "'",
  '=',
  ';',
  ',',
  ' ',
  '\t',
  '%',
  '\\',
  '\0',
  '\r\n',
  '\u00a0',
  '\u2000',
  '\ufeff',
  'é',
  '🍪',
  '.',
  '/',
  '+',
];

const text = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.string({ unit: 'binary', maxLength: 120 }),
  fc.string({ unit: fc.constantFrom(...SPICE, NAME, 'sid', 'Bearer ', 'bearer'), maxLength: 40 }),
  fc.string({ unit: fc.constantFrom(...BASE64URL.split('')), minLength: 80, maxLength: 125 }),
);

/** Strings of the form of a token; an older one has neither generation nor what all tokens share. */
const forged = fc
  .tuple(
    fc.string({
      unit: fc.constantFrom(...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'.split('')),
      minLength: 26,
      maxLength: 26,
    }),
    fc.constantFrom('', '00000kAAAAAAAAAAAAAAAAAAAAAA'),
    fc.string({ unit: fc.constantFrom(...BASE64URL.split('')), minLength: 65, maxLength: 65 }),
  )
  .map(([id, middle, rest]) => `0${id.slice(1)}${middle}${rest}`);

type Change = (token: string) => string;

/** One thing done to a token. Some of them do nothing to some tokens. */
function changeOf(tokens: readonly string[]): Arbitrary<Change> {
  const at = fc.nat({ max: LENGTH + 1 });
  const character = fc.constantFrom(...BASE64URL.split(''), ...SPICE);
  const cut = (token: string, place: number): [string, string] => [token.slice(0, place), token.slice(place)];
  return fc.oneof(
    fc.tuple(at, character).map(
      ([place, put]): Change =>
        (token) =>
          token.slice(0, place) + put + token.slice(place + 1),
    ),
    fc.tuple(at, character).map(
      ([place, put]): Change =>
        (token) =>
          cut(token, place).join(put),
    ),
    fc.tuple(at, fc.nat({ max: 5 })).map(
      ([place, count]): Change =>
        (token) =>
          token.slice(0, place) + token.slice(place + count),
    ),
    fc.tuple(at, fc.constantFrom(...tokens)).map(
      ([place, other]): Change =>
        (token) =>
          token.slice(0, place) + other.slice(place),
    ),
    fc.constantFrom(...PARTS).chain((place) =>
      fc.constantFrom(...tokens).map(
        (other): Change =>
          (token) =>
            token.slice(0, place) + other.slice(place),
      ),
    ),
    fc.tuple(at, at).map(
      ([one, two]): Change =>
        (token) =>
          swap(token, one, two),
    ),
    fc.constantFrom<Change>(
      (token) => token.toLowerCase(),
      (token) => token.toUpperCase(),
      (token) => token.split('').toReversed().join(''),
      (token) => encodeURIComponent(`${token} `),
      (token) => Buffer.from(token).toString('base64url'),
      (token) => `"${token}`,
      (token) => `${token}"`,
      (token) => `${token}=`,
      (token) => token + token,
      (token) => token.slice(0, SIGNATURE),
      (token) => `s:${token}.${token.slice(SIGNATURE)}`,
      (token) => token.normalize('NFKD').replace('0', 'O'),
      (token) => token,
    ),
  );
}

function swap(token: string, one: number, two: number): string {
  const characters = token.split('');
  [characters[one], characters[two]] = [characters[two] ?? '', characters[one] ?? ''];
  return characters.join('');
}

/** Ways in which a token is sent, right and wrong. */
const wrapping = fc.constantFrom<(token: string) => Headers>(
  (token) => ({ cookie: `${NAME}=${token}` }),
  (token) => ({ cookie: `${NAME}="${token}"` }),
  (token) => ({ cookie: `theme=dark; ${NAME}=${token}; lang=en` }),
  (token) => ({ cookie: `${NAME}=junk; ${NAME}=${token}` }),
  (token) => ({ cookie: `${NAME}=${token}; ${NAME}=${token.slice(1)}` }),
  (token) => ({ cookie: `$Version=1; ${NAME}=${token}; $Path=/` }),
  (token) => ({ cookie: `sid=${token}; __Secure-sid=${token}; __host-sid=${token}` }),
  (token) => ({ cookie: `\u2000${NAME}=${token}` }),
  (token) => ({ authorization: `Bearer ${token}` }),
  (token) => ({ authorization: `bearer  ${token} ` }),
  (token) => ({ authorization: `Bearer "${token}"` }),
  (token) => ({ authorization: `Basic ${token}` }),
  (token) => ({ authorization: token }),
  (token) => ({ cookie: `theme=dark`, authorization: `Bearer ${token}` }),
  (token) => ({ cookie: `${NAME}=${token}`, authorization: `Bearer ${token}` }),
);

/** Headers made of genuine tokens, changed up to three times. */
export function mutated({ cookie, bearer, others }: Tokens): Arbitrary<Headers> {
  const all = [cookie, bearer, ...others];
  return fc
    .tuple(fc.constantFrom(...all), fc.array(changeOf(all), { minLength: 1, maxLength: 3 }), wrapping)
    .map(([token, changes, wrap]) => wrap(changes.reduce((changed, change) => change(changed), token)));
}

/** Headers of anything else: noise, cookies that are none, and strings in the form of a token. */
export const invented: Arbitrary<Headers> = fc.oneof(
  text.map((cookie) => ({ cookie })),
  text.map((authorization) => ({ authorization })),
  text.map((value) => ({ cookie: `${NAME}=${value}` })),
  text.map((value) => ({ authorization: `Bearer ${value}` })),
  fc.array(fc.tuple(fc.oneof(fc.constant(NAME), text), text), { maxLength: 8 }).map((pairs) => ({
    cookie: pairs.map((pair) => pair.join('=')).join('; '),
  })),
  fc.tuple(forged, wrapping).map(([token, wrap]) => wrap(token)),
);
