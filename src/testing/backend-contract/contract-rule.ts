import assert from 'node:assert/strict';
import type { InsertRequest, InsertResult, SessionBackend } from '../../core/session-backend.js';
import type { SessionLimit } from '../../core/session-limit.js';
import type { SessionRow } from '../../core/session-row.js';
import { AlternatingBackend } from './alternating-backend.js';

/** Two backends over one storage, as two processes have them. */
export type TwoBackends = readonly [SessionBackend, SessionBackend];

/** Makes two backends over one empty storage, which nothing else uses. */
export type OpenBackends = () => TwoBackends | Promise<TwoBackends>;

/** One rule of the contract. */
export interface ContractRule {
  /** The method it is about. */
  readonly group: string;
  /** A sentence, continuing the group. */
  readonly name: string;
  /** Rejects when the backend breaks the rule. */
  run(open: OpenBackends): Promise<void>;
}

/**
 * A rule as it is written: with a backend that is ready, and closed afterwards. Its calls go to two backends over one storage
 * in turn, so that what a rule says of one instant or one order holds between them.
 */
export type RuleBody = (backend: SessionBackend) => Promise<void>;

/** The rules about one method, by their sentences. */
export function rulesOf(group: string, bodies: Readonly<Record<string, RuleBody>>): ContractRule[] {
  return Object.entries(bodies).map(([name, body]) => ({
    group,
    name,
    async run(open) {
      const backend = new AlternatingBackend(await open());
      try {
        await backend.init();
        await body(backend);
      } finally {
        await backend.close();
      }
    },
  }));
}

/** What time it is in all rules. Far ahead, so that a storage that expires rows by a clock of its own keeps them. */
export const NOW = Date.UTC(2100, 0, 1);

export const MINUTE = 60_000;

/** A signed-in session, active for another hour from `NOW`. */
export function row(id: string, fields: Partial<SessionRow> = {}): SessionRow {
  return {
    id,
    userId: 'ada',
    tokenHash: Buffer.from(id).toString('hex').padEnd(64, '0').slice(0, 64),
    supersededHash: null,
    tokenIssuedAt: NOW - 10 * MINUTE,
    graceUntil: 0,
    tokenUsed: false,
    tokenGeneration: 2,
    replacedTokens: '-clock,1.kf12oi8w',
    version: 1,
    keyId: 'k1',
    payload: Buffer.from(`payload of ${id}`),
    idleTtl: 60 * MINUTE,
    persistent: false,
    createdAt: NOW - 10 * MINUTE,
    authenticatedAt: NOW - 10 * MINUTE,
    lastActiveAt: NOW,
    expiresAt: NOW + 60 * MINUTE,
    absoluteExpiresAt: NOW + 600 * MINUTE,
    ...fields,
  };
}

/** Fields of a row whose idle timeout ended at `at`. */
export function idleSince(at: number): Partial<SessionRow> {
  return { createdAt: at - 90 * MINUTE, lastActiveAt: at - 60 * MINUTE, expiresAt: at };
}

/** Fields of a row that nothing but its absolute expiry ended, at `at`. */
export function overSince(at: number): Partial<SessionRow> {
  return {
    createdAt: at - 600 * MINUTE,
    lastActiveAt: at - MINUTE,
    expiresAt: at + MINUTE,
    absoluteExpiresAt: at,
  };
}

/** An insert of `built`, by default without a limit and replacing nothing. */
export function inserting(built: SessionRow | null, request: Partial<InsertRequest> = {}): InsertRequest {
  return { userId: built?.userId ?? null, limit: null, replaces: null, build: () => built, ...request };
}

export function insertLimited(
  backend: SessionBackend,
  built: SessionRow,
  limit: SessionLimit,
): Promise<InsertResult> {
  return backend.insert(inserting(built, { limit }));
}

/** Puts rows into storage. */
export async function store(backend: SessionBackend, ...rows: readonly SessionRow[]): Promise<void> {
  for (const each of rows) assert.equal((await backend.insert(inserting(each))).status, 'inserted');
}

/** Deletes the active rows; how many. */
export async function deleteActive(backend: SessionBackend): Promise<number> {
  const everybody = { activeSince: null, authenticated: null, limit: 10_000 };
  const step = { now: NOW, cursor: null, batchSize: 10_000, ...everybody };
  const { rows } = await backend.walk(step);
  return (await backend.delete({ ids: rows.map(({ id }) => id) })).length;
}

/**
 * Asserts that two values are deeply and strictly equal. Arrays and objects made by a database driver may belong to
 * another realm than the test, as under Jest, so what counts of them is their content.
 */
export function assertEqual(actual: unknown, expected: unknown): void {
  assert.deepEqual(ofThisRealm(actual), expected);
}

function ofThisRealm(value: unknown): unknown {
  if (Array.isArray(value)) return Array.from(value, ofThisRealm);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (value instanceof Map) return new Map(value);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, ofThisRealm(each)]));
}

/** Asserts that storage holds exactly these rows, of all those that a test may have stored. */
export async function assertStored(
  backend: SessionBackend,
  rows: Readonly<Record<string, SessionRow | null>>,
) {
  assertEqual(await backend.find(Object.keys(rows)), Object.values(rows));
}

/** Ids in the order of code units. */
export function idsOf(rows: readonly { readonly id: string }[]): string[] {
  return rows.map(({ id }) => id).toSorted();
}

/** `a`, `b`, … or `row-000`, `row-001`, …: ids whose order is their number's. */
export function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(4, '0')}`);
}
