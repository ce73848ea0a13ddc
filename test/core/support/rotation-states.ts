import { CLOCK_TOLERANCE, readReplaced } from '../../../src/core/replaced-tokens.js';
import {
  firstToken,
  caughtUp,
  nextGeneration,
  type PresentedAt,
  type PresentedToken,
  reissued,
  rotated,
  type TokenVerdict,
} from '../../../src/core/rotation-policy.js';
import type { TokenState } from '../../../src/core/session-row.js';

/** The decision that is examined. `present`: when it is made, where that is later than the head of the request. */
export type Judge = (
  state: TokenState,
  presented: PresentedToken,
  at: PresentedAt,
  present: number,
) => TokenVerdict;

export type Invariant = 'ownerOutside' | 'alarmWithoutThief' | 'alarmInGrace' | 'unnoticed' | 'bothInside';

/** What was found. Of each invariant that does not hold, the shortest way to a state that shows it. */
export interface Findings {
  readonly states: number;
  readonly steps: number;
  readonly violations: Partial<Record<Invariant, string>>;
}

const SECOND = 1_000;
const GRACE = 3 * SECOND;
/** The clock of one replica is right, that of the other almost as far ahead as is tolerated. */
const AHEAD = { a: 0, b: CLOCK_TOLERANCE - 1_000 } as const;
type Replica = keyof typeof AHEAD;
/** How late the rule may be: by its resolution, and by the tolerance for clocks where there are two. */
const RESOLUTION = (2 * CLOCK_TOLERANCE + GRACE) / 8;
const LATEST = { one: GRACE + RESOLUTION, two: GRACE + 2 * CLOCK_TOLERANCE + RESOLUTION } as const;
/** Longer ago than anything that is decided. */
const PAST = LATEST.two + 1_000;

interface Token extends PresentedToken {
  /** When another one took its place, whatever storage knows of it. */
  readonly replacedAt: number | null;
}

interface State {
  readonly now: number;
  /** `null`: the session has been ended by reuse. */
  readonly row: TokenState | null;
  readonly backup: TokenState | 'none' | 'restored';
  /** Tokens by hash. */
  readonly tokens: ReadonlyMap<string, Token>;
  readonly issued: number;
  /** What the owner's browser sends. */
  readonly jar: string;
  /** A request of the owner's second tab whose head has arrived, and whose body has not yet. */
  readonly upload: { readonly token: string; readonly arrivedAt: number } | null;
  readonly thief: string | null;
  /** Whether the thief has used the copy. */
  readonly hasStolen: boolean;
  /** Whether both clocks have written. */
  readonly isTwoClocks: boolean;
  readonly path: string;
}

type Report = (invariant: Invariant, state: State) => void;
type Step = (state: State, judge: Judge, report: Report) => State | null;

interface Search {
  /** Of the steps that may be taken. @default all */
  readonly names?: readonly StepName[];
  /** Ends the search as soon as this one does not hold. @default none: everything is searched */
  readonly until?: Invariant;
}

/** Goes through every state that is reached in so many steps, each once. */
export function explore(
  judge: Judge,
  depth: number,
  { names = STEP_NAMES, until: sought }: Search = {},
): Findings {
  const violations: Findings['violations'] = {};
  const report: Report = (invariant, state) => (violations[invariant] ??= state.path);
  const seen = new Set<string>();
  let frontier: State[] = [START];
  let steps = 0;
  for (let level = 0; level < depth; level++) {
    const next: State[] = [];
    for (const state of frontier) {
      if (sought !== undefined && violations[sought] !== undefined) break;
      for (const name of names) {
        const reached = STEPS[name]({ ...state, path: `${state.path} · ${name}` }, judge, report);
        if (reached === null) continue;
        steps++;
        const key = keyOf(reached);
        if (seen.has(key)) continue;
        seen.add(key);
        if (reached.row === null) continue;
        next.push(reached);
        if (reached.hasStolen) checkEnd(reached, judge, report);
      }
    }
    frontier = next;
  }
  return { states: seen.size, steps, violations };
}

const START: State = {
  now: 10 * PAST,
  row: firstToken('t0', 10 * PAST),
  backup: 'none',
  tokens: new Map([['t0', { hash: 't0', generation: 0, replacedAt: null }]]),
  issued: 1,
  jar: 't0',
  upload: null,
  thief: null,
  hasStolen: false,
  isTwoClocks: false,
  path: 'signed in',
};

const STEPS = {
  'the owner reads': owner('a', { rotates: false }),
  'the owner rotates': owner('a', { rotates: true }),
  'the owner rotates, and the answer gets lost': owner('a', { rotates: true, isLost: true }),
  'the owner reads at the other replica': owner('b', { rotates: false }),
  'the owner rotates at the other replica': owner('b', { rotates: true }),
  'the head of an upload arrives': (state) =>
    state.upload ? null : { ...state, upload: { token: state.jar, arrivedAt: state.now } },
  'the upload is complete': upload('a', false),
  'the upload is complete, and rotates, at the other replica': upload('b', true),
  'a thief copies the cookie': (state) => (state.thief === null ? { ...state, thief: state.jar } : null),
  'the thief reads': thief(false),
  'the thief rotates': thief(true),
  'the thief reads, and throws the new cookie away': thief(false, false),
  'a backup is made': (state) =>
    state.backup === 'none' && state.row ? { ...state, backup: state.row } : null,
  'the backup is restored': ({ backup, ...state }) =>
    typeof backup === 'string' ? null : { ...state, row: backup, backup: 'restored' },
  'a second passes': (state) => ({ ...state, now: state.now + SECOND }),
  'the grace is almost over': until((row) => row.graceUntil - SECOND),
  'the grace is over': until((row) => row.graceUntil),
  'the grace is over by every clock': until((row) => row.graceUntil + CLOCK_TOLERANCE),
} satisfies Readonly<Record<string, Step>>;

export type StepName = keyof typeof STEPS;
const STEP_NAMES = Object.keys(STEPS) as readonly StepName[];

function until(instant: (row: TokenState) => number): Step {
  return (state) => {
    const now = state.row === null ? state.now : instant(state.row);
    return now > state.now ? { ...state, now } : null;
  };
}

function owner(replica: Replica, { rotates, isLost = false }: { rotates: boolean; isLost?: boolean }): Step {
  return (state, judge, report) => {
    const outcome = request(state, judge, report, { replica, rotates, token: state.jar });
    if (!state.hasStolen && !isServed(outcome.verdict)) report('ownerOutside', outcome.state);
    return outcome.cookie === null || isLost ? outcome.state : { ...outcome.state, jar: outcome.cookie };
  };
}

function upload(replica: Replica, rotates: boolean): Step {
  return (state, judge, report) => {
    if (state.upload === null) return null;
    const outcome = request(state, judge, report, { replica, rotates, ...state.upload });
    return { ...outcome.state, upload: null, jar: outcome.cookie ?? state.jar };
  };
}

function thief(rotates: boolean, keeps = true): Step {
  return (state, judge, report) => {
    if (state.thief === null) return null;
    const stolen = { ...state, hasStolen: true };
    const outcome = request(stolen, judge, report, { replica: 'a', rotates, token: state.thief });
    return { ...outcome.state, thief: (keeps && outcome.cookie) || state.thief };
  };
}

interface Request {
  readonly replica: Replica;
  readonly rotates: boolean;
  readonly token: string;
  /** When its head arrived, if that was earlier. */
  readonly arrivedAt?: number;
}

interface Outcome {
  readonly state: State;
  readonly verdict: TokenVerdict;
  /** What the answer carries. */
  readonly cookie: string | null;
}

/** As the resolver goes about it: a first use and a newer token are written down, a lost token is reissued. */
function request(
  state: State,
  judge: Judge,
  report: Report,
  { replica, rotates, token, arrivedAt }: Request,
): Outcome {
  const { row, tokens } = state;
  const presented = tokens.get(token);
  if (row === null || presented === undefined) return { state, verdict: 'none', cookie: null };
  const at = { clock: replica, grace: GRACE, now: state.now + AHEAD[replica] };
  const arrival = { ...at, now: (arrivedAt ?? state.now) + AHEAD[replica] };
  const verdict = judge(row, presented, arrival, at.now);
  check(state, verdict, presented, arrivedAt ?? state.now, report);
  if (verdict === 'reuse') return { state: { ...state, row: null }, verdict, cookie: null };
  if (!isServed(verdict) || verdict === 'superseded') return { state, verdict, cookie: null };
  const current =
    verdict === 'ahead' ? caughtUp(row, presented, at) : { ...row, tokenUsed: verdict !== 'lost' };
  const isTwoClocks = state.isTwoClocks || replica === 'b';
  const served = { ...state, row: current, isTwoClocks };
  if (!rotates && verdict !== 'lost') return { state: served, verdict, cookie: null };
  const cookie = `t${state.issued}`;
  const change = verdict === 'lost' ? reissued : rotated;
  const next = { hash: cookie, generation: nextGeneration(current), replacedAt: null };
  const replaced = [current.tokenHash, verdict === 'ahead' ? row.tokenHash : null];
  // With a reissue the grace of the presented token begins anew.
  const restarted = verdict === 'lost' ? presented.generation : Infinity;
  return {
    state: {
      ...served,
      row: change(current, cookie, at),
      tokens: withToken(state, next, replaced, restarted),
      issued: state.issued + 1,
    },
    verdict,
    cookie,
  };
}

/** The tokens that somebody or something still holds, and a new one. */
function withToken(
  { tokens, now, jar, thief: stolen, upload: sent, backup, row }: State,
  next: Token,
  replaced: readonly (string | null)[],
  restarted: number,
): ReadonlyMap<string, Token> {
  const stored = [row, typeof backup === 'string' ? null : backup];
  const held = [jar, stolen, sent?.token, ...stored.flatMap((one) => [one?.tokenHash, one?.supersededHash])];
  const kept = new Map<string, Token>();
  for (const hash of held) {
    const token = tokens.get(hash ?? '');
    if (token === undefined) continue;
    const isReplaced =
      token.generation === restarted || (token.replacedAt === null && replaced.includes(token.hash));
    kept.set(token.hash, isReplaced ? { ...token, replacedAt: now } : token);
  }
  return kept.set(next.hash, next);
}

function isServed(verdict: TokenVerdict): boolean {
  return !['stale', 'reuse', 'none'].includes(verdict);
}

/** Holds a verdict against what really happened. */
function check(
  state: State,
  verdict: TokenVerdict,
  { replacedAt }: Token,
  arrivedAt: number,
  report: Report,
): void {
  if (verdict === 'reuse' && !state.hasStolen) report('alarmWithoutThief', state);
  if (state.backup === 'restored') return; // then a token that was replaced may be the newest that storage knows
  const age = replacedAt === null ? -Infinity : arrivedAt - replacedAt;
  if (verdict === 'reuse' && age < GRACE) report('alarmInGrace', state);
  const isOver = age >= LATEST[state.isTwoClocks || state.path.endsWith('other replica') ? 'two' : 'one'];
  const isUnused = state.row?.tokenUsed === false; // then the answer that carried the next one was lost
  const isNoticed = verdict === 'reuse' || (isUnused && (verdict === 'lost' || verdict === 'superseded'));
  if (isOver && !isNoticed) report('unnoticed', state);
}

const ROUNDS = 3;

/** Owner and thief go on, with more than a grace in between. */
function checkEnd(from: State, judge: Judge, report: Report): void {
  let state = from;
  let verdict: TokenVerdict = 'none';
  for (let round = 0; round < ROUNDS && state.row !== null; round++) {
    for (const who of ['jar', 'thief'] as const) {
      state = { ...state, now: state.now + PAST };
      const token = state[who] ?? '';
      const outcome = request(state, judge, () => undefined, { replica: 'a', rotates: true, token });
      verdict = outcome.verdict;
      state = outcome.cookie === null ? outcome.state : { ...outcome.state, [who]: outcome.cookie };
    }
  }
  if (state.row !== null && isServed(verdict)) report('bothInside', from);
}

/** The same for states that differ in nothing that can ever be noticed. */
function keyOf(state: State): string {
  const { now, row, backup, upload: sent, tokens } = state;
  const start = row?.tokenGeneration ?? 0;
  const origin = sent?.arrivedAt ?? now;
  // What is past for the earliest request that may still be judged is past for all.
  const since = (instant: number): number => Math.max(-CLOCK_TOLERANCE - 1_000, instant - origin);
  const held = [state.jar, sent?.token, state.thief].flatMap(
    (hash) => tokens.get(hash ?? '')?.generation ?? [],
  );
  const oldestHeld = Math.min(...held);
  const names = new Map<string, number>();
  const nameOf = (hash: string | null): string => {
    if (hash === null) return '-';
    const name = names.get(hash) ?? names.size;
    names.set(hash, name);
    return `${name}`;
  };
  const heldOf = (hash: string): string => {
    const token = tokens.get(hash);
    const isAge = backup !== 'restored' && token?.replacedAt != null;
    const age = isAge ? Math.max(-PAST, (token.replacedAt ?? 0) - origin) : '';
    return `${nameOf(hash)}/${(token?.generation ?? 0) - start}/${age}`;
  };
  const rowOf = (one: TokenState | null): string => {
    if (one === null) return '';
    const { clock, replacements } = readReplaced(one.replacedTokens);
    const entries = replacements
      .filter((entry, index) => entry.generation > oldestHeld || index >= replacements.length - 2)
      .map(
        ({ generation, until: end, isOtherClock }) => `${generation - start}/${since(end)}/${isOtherClock}`,
      )
      .join();
    const generation = `${one.tokenGeneration - start}${one.tokenGeneration === 0 ? 'first' : ''}`;
    return [
      nameOf(one.tokenHash),
      nameOf(one.supersededHash),
      since(one.graceUntil),
      one.tokenUsed,
      generation,
      clock,
      entries,
    ].join('|');
  };
  return [
    rowOf(row),
    typeof backup === 'string' ? backup : rowOf(backup),
    heldOf(state.jar),
    sent === null ? '' : `${heldOf(sent.token)} ${Math.min(PAST, now - origin)}`,
    state.thief === null ? '' : heldOf(state.thief),
    `${state.hasStolen}${state.isTwoClocks}`,
  ].join(';');
}
