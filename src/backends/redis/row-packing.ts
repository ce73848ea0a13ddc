import type { EndedRow, LiveRow, SessionRow, TokenState } from '../../core/session-row.js';

/*
 * A row as Redis has it, a hash of two fields:
 *
 * - `u`, what changes with use, and what a look at many rows needs: five numbers, two marks and the user, separated by
 *   spaces. The user comes last and may contain anything.
 * - `r`, the rest: a line about the token, a line about the session, a line with the id of the key, and the payload.
 *
 * The scripts read the same text, so what changes here changes in `scripts` too.
 */

/** The two fields of a row. */
export interface PackedRow {
  readonly use: string;
  readonly rest: Buffer;
}

export function packRow(row: SessionRow): PackedRow {
  return {
    use: packUse(row),
    rest: Buffer.concat([Buffer.from(tokenLine(row) + sessionLine(row)), packPayload(row)]),
  };
}

function packUse(row: SessionRow): string {
  const { lastActiveAt, expiresAt, absoluteExpiresAt, createdAt, version } = row;
  const marks = (row.userId === null ? '-' : 'u') + tokenMark(row);
  return [lastActiveAt, expiresAt, absoluteExpiresAt, createdAt, version, marks, row.userId ?? ''].join(' ');
}

/** Whether there is a token, in one character. */
export function tokenMark({ tokenHash }: Pick<TokenState, 'tokenHash'>): string {
  return tokenHash === null ? '-' : 't';
}

/** The beginning of the first line, by which a change of the token knows what it expects. */
export function tokenStart({ tokenUsed, tokenHash }: Pick<TokenState, 'tokenUsed' | 'tokenHash'>): string {
  return `${tokenUsed ? 1 : 0} ${tokenHash ?? '-'} `;
}

/** The first line of the rest, with its end. */
export function tokenLine(token: TokenState): string {
  const { supersededHash, tokenIssuedAt, graceUntil, replacedTokens } = token;
  const others = JSON.stringify([supersededHash, tokenIssuedAt, graceUntil, replacedTokens]);
  return `${tokenGenerationStart(token)}${others}\n`;
}

/** As far into the first line as says which token of the session it is. */
export function tokenGenerationStart(
  token: Pick<TokenState, 'tokenUsed' | 'tokenHash' | 'tokenGeneration'>,
): string {
  return `${tokenStart(token)}${token.tokenGeneration} `;
}

/** The second line of the rest, with its end. */
function sessionLine({ authenticatedAt, idleTtl, persistent }: SessionRow): string {
  return `${authenticatedAt ?? '-'} ${idleTtl} ${persistent ? 1 : 0}\n`;
}

/** What is behind the first two lines of the rest. */
export function packPayload({ keyId, payload }: Pick<SessionRow, 'keyId' | 'payload'>): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(keyId)}\n`), payload]);
}

/** How many bytes of the rest its first two lines are. */
export function headLength(rest: Buffer): number {
  return rest.indexOf(10, rest.indexOf(10) + 1) + 1;
}

/** What `u` says. @throws when it is not what this backend writes */
export function unpackUse(id: string, use: Buffer): UsedRow {
  const words = new Words(id, use.toString());
  const lastActiveAt = words.number();
  const expiresAt = words.number();
  const absoluteExpiresAt = words.number();
  const createdAt = words.number();
  const version = words.number();
  const hasUser = words.next().startsWith('u');
  return {
    id,
    userId: hasUser ? words.rest() : null,
    lastActiveAt,
    expiresAt,
    absoluteExpiresAt,
    createdAt,
    version,
  };
}

/** What a row says without its rest. */
export type UsedRow = LiveRow & Pick<SessionRow, 'lastActiveAt' | 'createdAt' | 'version'>;

/** @throws when it is not what this backend writes */
export function unpackRow(id: string, use: Buffer, rest: Buffer): SessionRow {
  const keyStart = headLength(rest);
  const payloadStart = rest.indexOf(10, keyStart) + 1;
  const [tokenSide, sessionSide, key] = rest.toString('utf8', 0, payloadStart).split('\n');
  if (keyStart === 0 || tokenSide === undefined || sessionSide === undefined || !key) throw notOurs(id);
  const { userId, lastActiveAt, expiresAt, absoluteExpiresAt, createdAt, version } = unpackUse(id, use);
  const token = new Words(id, tokenSide);
  const tokenUsed = token.next() === '1';
  const tokenHash = orNull(token.next());
  const tokenGeneration = token.number();
  const [supersededHash, tokenIssuedAt, graceUntil, replacedTokens] = othersOf(id, token.rest());
  const session = new Words(id, sessionSide);
  const authenticatedAt = orNull(session.next());
  return {
    id,
    userId,
    tokenHash,
    supersededHash,
    tokenIssuedAt,
    graceUntil,
    tokenUsed,
    tokenGeneration,
    replacedTokens,
    version,
    keyId: textIn(id, key),
    payload: rest.subarray(payloadStart),
    idleTtl: session.number(),
    persistent: session.rest() === '1',
    createdAt,
    authenticatedAt: authenticatedAt === null ? null : Number(authenticatedAt),
    lastActiveAt,
    expiresAt,
    absoluteExpiresAt,
  };
}

/** What the first line of the rest has as JSON. */
type Others = readonly [
  supersededHash: string | null,
  tokenIssuedAt: number,
  graceUntil: number,
  replacedTokens: string,
];

function othersOf(id: string, json: string): Others {
  const others: unknown = JSON.parse(json);
  if (!Array.isArray(others) || others.length !== 4) throw notOurs(id);
  return others as unknown as Others;
}

function textIn(id: string, json: string): string {
  const text: unknown = JSON.parse(json);
  if (typeof text !== 'string') throw notOurs(id);
  return text;
}

function orNull(word: string): string | null {
  return word === '-' ? null : word;
}

/** The words of a text, one after the other. Every read of a session reads some twelve: regular expressions took six times as long. */
class Words {
  readonly #id: string;
  readonly #text: string;
  #at = 0;

  /** @param id of the session that they belong to, for errors */
  constructor(id: string, text: string) {
    this.#id = id;
    this.#text = text;
  }

  /** @throws when no space comes any more */
  next(): string {
    const end = this.#text.indexOf(' ', this.#at);
    if (end < 0) throw notOurs(this.#id);
    const word = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return word;
  }

  /** @throws when the next word is no number */
  number(): number {
    const word = this.next();
    const number = Number(word);
    if (word === '' || Number.isNaN(number)) throw notOurs(this.#id);
    return number;
  }

  /** All that is left, with its spaces. */
  rest(): string {
    return this.#text.slice(this.#at);
  }
}

/** What is told of a row. */
export function told({ id, userId, expiresAt, absoluteExpiresAt }: LiveRow): LiveRow & EndedRow {
  return { id, userId, expiresAt, absoluteExpiresAt };
}

/** The error for a key of ours that holds something else. */
function notOurs(id: string): Error {
  return new Error(
    `The key of session ${JSON.stringify(id)} holds a value that is not a session of this version. ` +
      'Nothing was changed: give the sessions a `prefix` that no other program uses',
  );
}
