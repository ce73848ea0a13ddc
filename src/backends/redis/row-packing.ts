import { DamagedRowError } from '../../core/row-errors.js';
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

/** The same for a look at many rows, of which none is to fail for another one. `null`: it is not what this backend writes */
export function unpackOrNull(id: string, use: Buffer, rest: Buffer): SessionRow | null {
  try {
    return unpackRow(id, use, rest);
  } catch (error) {
    if (error instanceof DamagedRowError) return null;
    throw error;
  }
}

/** What `u` says. @throws when it is not what this backend writes */
export function unpackUse(id: string, use: Buffer): UsedRow {
  const words = new Words(id, use.toString());
  const lastActiveAt = words.number();
  const expiresAt = words.number();
  const absoluteExpiresAt = words.number();
  const createdAt = words.number();
  const version = words.number();
  const [kind] = words.oneOf('ut', 'u-', '-t', '--');
  return {
    id,
    userId: kind === 'u' ? words.rest() : null,
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
  const tokenUsed = token.oneOf('0', '1') === '1';
  const tokenHash = orNull(token.next());
  const tokenGeneration = token.number();
  const [supersededHash, tokenIssuedAt, graceUntil, replacedTokens] = othersOf(id, token.rest());
  const session = new Words(id, sessionSide);
  const authenticatedAt = session.numberOrNull();
  const idleTtl = session.number();
  if (session.rest() !== '0' && session.rest() !== '1') throw notOurs(id);
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
    idleTtl,
    persistent: session.rest() === '1',
    createdAt,
    authenticatedAt,
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
  const others = parsed(id, json);
  if (!isOthers(others)) throw notOurs(id);
  return others;
}

function isOthers(value: unknown): value is Others {
  if (!Array.isArray(value) || value.length !== 4) return false;
  const [supersededHash, tokenIssuedAt, graceUntil, replacedTokens] = value as unknown[];
  return (
    (supersededHash === null || typeof supersededHash === 'string') &&
    typeof tokenIssuedAt === 'number' &&
    typeof graceUntil === 'number' &&
    typeof replacedTokens === 'string'
  );
}

function textIn(id: string, json: string): string {
  const text = parsed(id, json);
  if (typeof text !== 'string') throw notOurs(id);
  return text;
}

/** The error of `JSON.parse` shows a part of the text, which is somebody else's: it goes no further. */
function parsed(id: string, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw notOurs(id);
  }
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

  /** @throws when no space comes any more, or the word is empty */
  next(): string {
    const end = this.#text.indexOf(' ', this.#at);
    if (end <= this.#at) throw notOurs(this.#id);
    const word = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return word;
  }

  /** @throws when the next word is none of these */
  oneOf(...words: readonly string[]): string {
    const word = this.next();
    if (!words.includes(word)) throw notOurs(this.#id);
    return word;
  }

  /** @throws when the next word is no number */
  number(): number {
    return this.#numberOf(this.next());
  }

  /** `null` for a dash. @throws when the next word is neither that nor a number */
  numberOrNull(): number | null {
    const word = orNull(this.next());
    return word === null ? null : this.#numberOf(word);
  }

  #numberOf(word: string): number {
    const number = isPlainNumber(word) ? Number(word) : NaN;
    if (Number.isNaN(number)) throw notOurs(this.#id);
    return number;
  }

  /** All that is left, with its spaces. */
  rest(): string {
    return this.#text.slice(this.#at);
  }
}

/** Whether there are but digits, a point and a sign: `Number` takes much else for numbers. */
function isPlainNumber(word: string): boolean {
  for (let at = word.startsWith('-') ? 1 : 0; at < word.length; at++) {
    const code = word.charCodeAt(at);
    if ((code < 48 || code > 57) && code !== 46) return false;
  }
  return true;
}

/** What is told of a row. */
export function told({ id, userId, expiresAt, absoluteExpiresAt }: LiveRow): LiveRow & EndedRow {
  return { id, userId, expiresAt, absoluteExpiresAt };
}

/** The error for a key of ours that holds something else. */
function notOurs(id: string): DamagedRowError {
  return new DamagedRowError(
    `The key of session ${JSON.stringify(id)} holds a value that is not a session of this version. ` +
      'Nothing was changed: give the sessions a `prefix` that no other program uses',
  );
}
