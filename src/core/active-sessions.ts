import type { BackendClient } from './backend-client.js';
import { describeKind } from './describe-value.js';
import { type Instant, toInstant } from './instant.js';
import { faultOf, type JsonObject } from './json-data.js';
import type { WalkStep } from './session-backend.js';
import { SessionDataError } from './session-errors.js';
import type { SessionIntegrity } from './session-record.js';
import type { EpochMs, SessionRow } from './session-row.js';

/*
 * Who is online: the active sessions of everybody, in pages.
 */

/** Which page of active sessions is wanted, and of whom. */
export interface ListActiveOptions {
  /** The `next` of the page before. Absent, `null` or empty, as a query without one says it: the first page. */
  readonly after?: string | null;
  /** How many sessions the page has at most: an integer from 1 to 1000. @default 100 */
  readonly limit?: number;
  /**
   * Leaves out sessions whose last recorded use was earlier: a Date, or milliseconds since the Unix epoch. Use is recorded
   * once in `touchInterval`, so for who is there now this should be at least that long ago. @default all are given
   */
  readonly activeSince?: Instant;
  /** `true`: only sessions of users; `false`: only anonymous ones. @default both */
  readonly authenticated?: boolean;
}

/** An active session of somebody, as a page of who is online shows it. It holds no token and no data. */
export interface ActiveSession {
  /** Public id, safe to log and to show, which `SessionStore.delete()` takes. */
  readonly id: string;
  /** The owner; `null`: an anonymous session. */
  readonly userId: string | null;
  readonly createdAt: Date;
  /** When the user last proved who they are; `null`: never. */
  readonly authenticatedAt: Date | null;
  /** When the last use was written down: up to `touchInterval` before the last use itself. */
  readonly lastActiveAt: Date;
  /** When the session ends unless it is used: never later than `absoluteExpiresAt`. */
  readonly expiresAt: Date;
  /** When it ends, however much it is used. */
  readonly absoluteExpiresAt: Date;
  /** What is kept about the client of the sign-in: `{ ip, userAgent, deviceName, deviceType }` and what the app added. */
  readonly meta: JsonObject;
  /** Whether the stored row opens. If it does not, `meta` is empty, and the session can be ended all the same. */
  readonly integrity: SessionIntegrity;
}

/** One page of `SessionStore.listActive()`. */
export interface ActiveSessionPage {
  /** In order of id: sessions with a token in that in which they began, to the millisecond. */
  readonly sessions: readonly ActiveSession[];
  /**
   * The `after` of the next page: letters, digits, `-` and `_`, so that it can stand in a URL as it is. `null`: this is the
   * last page. The last one may be empty.
   */
  readonly next: string | null;
}

/** What a page is read by. */
interface PageRequest extends Pick<WalkStep, 'cursor' | 'activeSince' | 'authenticated'> {
  readonly limit: number;
}

/** Rows of a page, and where the next one begins. */
interface PageOfRows {
  readonly rows: readonly SessionRow[];
  readonly next: string | null;
}

const DEFAULT_LIMIT = 100;
const LARGEST_LIMIT = 1000;

/** Characters of a cursor at most: an id, and what a storage puts before it. */
const LONGEST_CURSOR = 300;

/**
 * How many rows one step looks at when it has to look for what is rare: enough that few round trips cross a large table,
 * and few enough that no other request has to wait for one of them.
 */
const ROWS_PER_STEP = 1000;

const OPTIONS: readonly string[] = [
  'after',
  'limit',
  'activeSince',
  'authenticated',
] satisfies (keyof ListActiveOptions)[];

/**
 * Reads one page. It looks at as many rows as it wants first, which is enough where most are active, and then at more at a
 * time, until the page is full or there are no more.
 *
 * @throws SessionDataError for an option that cannot be used
 */
export async function readActivePage(
  backend: BackendClient,
  options: ListActiveOptions,
  now: EpochMs,
): Promise<PageOfRows> {
  const { limit, ...wanted } = pageRequest(options);
  const rows: SessionRow[] = [];
  let { cursor } = wanted;
  for (let batchSize = limit; ; batchSize = ROWS_PER_STEP) {
    const step = await backend.walk({ ...wanted, now, cursor, batchSize, limit: limit - rows.length });
    rows.push(...step.rows);
    if (step.next === null || rows.length === limit) return { rows, next: inUrl(step.next) };
    cursor = step.next;
  }
}

function pageRequest(options: ListActiveOptions): PageRequest {
  if (typeof options !== 'object' || options === null)
    throw new SessionDataError(`Options of listActive: expected an object, got ${describeKind(options)}`);
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined)
    throw new SessionDataError(
      `Unknown option of listActive: expected one of ${OPTIONS.join(', ')}, got '${unknown}'`,
    );
  const { after = null, limit = DEFAULT_LIMIT, activeSince, authenticated = null } = options;
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > LARGEST_LIMIT)
    throw badOption('limit', `an integer from 1 to ${LARGEST_LIMIT}`, limit);
  if (authenticated !== null && typeof authenticated !== 'boolean')
    throw badOption('authenticated', 'true or false', authenticated);
  return {
    cursor: after === null || after === '' ? null : cursorIn(after),
    limit,
    activeSince: activeSince === undefined ? null : instantOf(activeSince),
    authenticated,
  };
}

/** A cursor of the storage in a form that a URL can carry: it may be any text. */
function inUrl(cursor: string | null): string | null {
  return cursor === null ? null : Buffer.from(cursor).toString('base64url');
}

/** @throws SessionDataError for what is no cursor; cursors come from clients */
function cursorIn(after: string): string {
  if (typeof after !== 'string') throw badCursor(after);
  const cursor = Buffer.from(after, 'base64url').toString();
  const isText = cursor !== '' && cursor.length <= LONGEST_CURSOR && !cursor.includes('\0');
  if (!isText || inUrl(cursor) !== after) throw badCursor(after);
  return cursor;
}

function badCursor(value: unknown): SessionDataError {
  return badOption('after', 'the `next` of the page before', value);
}

function instantOf(value: Instant): EpochMs {
  if (isUnreadable(value))
    throw badOption('activeSince', 'a Date, or milliseconds since the Unix epoch', value);
  return toInstant('activeSince', value);
}

/** What `Number()` and `new Date()` make of a query that is no number and no date. */
function isUnreadable(value: unknown): boolean {
  return Number.isNaN(value instanceof Date ? value.getTime() : value);
}

/** What an app passes on from a query may be the client's fault. */
function badOption(name: keyof ListActiveOptions, wanted: string, value: unknown): SessionDataError {
  const got = typeof value === 'number' ? String(value) : describeKind(value);
  return new SessionDataError(`\`${name}\`: expected ${wanted}, got ${got}`, {
    path: name,
    fault: isUnreadable(value) ? 'input' : faultOf(value),
  });
}
