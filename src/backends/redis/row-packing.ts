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
  const text = use.toString();
  const match = /^(\S+) (\S+) (\S+) (\S+) (\S+) ([u-])([t-]) (.*)$/s.exec(text);
  if (match === null) throw notOurs(id);
  const [, ...parts] = match;
  const [lastActiveAt, expiresAt, absoluteExpiresAt, createdAt, version] = parts.slice(0, 5).map(Number);
  if (
    lastActiveAt === undefined ||
    expiresAt === undefined ||
    absoluteExpiresAt === undefined ||
    createdAt === undefined ||
    version === undefined
  )
    throw notOurs(id);
  const userId = parts[5] === 'u' ? (parts[7] ?? '') : null;
  return { id, userId, lastActiveAt, expiresAt, absoluteExpiresAt, createdAt, version };
}

/** What a row says without its rest. */
export type UsedRow = LiveRow & Pick<SessionRow, 'lastActiveAt' | 'createdAt' | 'version'>;

/** @throws when it is not what this backend writes */
export function unpackRow(id: string, use: Buffer, rest: Buffer): SessionRow {
  const [first, second] = [rest.indexOf(10), headLength(rest) - 1];
  const third = rest.indexOf(10, second + 1);
  const token = /^([01]) (\S+) (\S+) (.*)$/.exec(rest.toString('utf8', 0, first));
  const session = /^(\S+) (\S+) ([01])$/.exec(rest.toString('utf8', first + 1, second));
  if (first < 0 || second < 0 || third < 0 || token === null || session === null) throw notOurs(id);
  const others: unknown = JSON.parse(token[4] ?? '');
  const keyId: unknown = JSON.parse(rest.toString('utf8', second + 1, third));
  if (!Array.isArray(others) || typeof keyId !== 'string') throw notOurs(id);
  const [supersededHash, tokenIssuedAt, graceUntil, replacedTokens] = others as unknown[];
  return {
    ...unpackUse(id, use),
    tokenHash: token[2] === '-' ? null : (token[2] ?? null),
    supersededHash: typeof supersededHash === 'string' ? supersededHash : null,
    tokenIssuedAt: Number(tokenIssuedAt),
    graceUntil: Number(graceUntil),
    tokenUsed: token[1] === '1',
    tokenGeneration: Number(token[3]),
    replacedTokens: String(replacedTokens),
    keyId,
    payload: Buffer.from(rest.subarray(third + 1)),
    idleTtl: Number(session[2]),
    persistent: session[3] === '1',
    authenticatedAt: session[1] === '-' ? null : Number(session[1]),
  };
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
