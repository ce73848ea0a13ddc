import type { EpochMs } from './session-row.js';

/*
 * What a row remembers of the tokens that its current one replaced, and until when each of them may be presented without
 * being taken for stolen: the value, its text in the column `replaced_tokens`, and what becomes of it at each rotation.
 */

/**
 * Milliseconds by which the clocks of two replicas may differ: a minute each. Where an instant comes from another
 * clock, a replaced token counts as reused only so much later, so that no clock raises an alarm.
 */
export const CLOCK_TOLERANCE = 120_000;

/**
 * Into how many steps the time is divided for which replacements are remembered. A row keeps about two of them for each
 * step, however often its token rotates.
 */
const STEPS = 8;

/** Tokens older than `generation` may be presented until `until` without alarm: their grace is over by then. */
interface Replacement {
  readonly generation: number;
  readonly until: EpochMs;
  /** Whether `until` came from another clock; it is then `CLOCK_TOLERANCE` later than that clock said. */
  readonly isOtherClock: boolean;
}

/**
 * What a row remembers of the tokens that came before its current one, beside the hash of the superseded one: how long
 * each may still be presented without being taken for stolen.
 */
export interface ReplacedTokens {
  /** Name of the clock that gave the instants of the row, and those of replacements that are not of another clock. */
  readonly clock: string;
  /** Whether the superseded token was replaced by a renewed proof of identity, so that it has no grace. */
  readonly isRenewed: boolean;
  /**
   * Generation of the superseded token, where it is not the one before the current: those between got lost. `null`: it
   * is.
   */
  readonly superseded: number | null;
  /** In ascending order of generations. */
  readonly replacements: readonly Replacement[];
}

const NONE: readonly Replacement[] = [];
const NOTHING: ReplacedTokens = { clock: '', isRenewed: false, superseded: null, replacements: [] };

/** Reads what `writeReplaced` wrote. An empty text: nothing has been replaced yet. */
export function readReplaced(text: string): ReplacedTokens {
  if (text === '') return NOTHING;
  const [head = '', ...entries] = text.split(',');
  const [clock = '', superseded] = head.slice(1).split('~');
  return {
    clock,
    isRenewed: head.startsWith('!'),
    superseded: superseded === undefined ? null : Number.parseInt(superseded, 36),
    replacements: entries.map((entry) => {
      const [generation = '', until = ''] = entry.split(/[.:]/);
      return {
        generation: Number.parseInt(generation, 36),
        until: Number.parseInt(until, 36),
        isOtherClock: entry.includes(':'),
      };
    }),
  };
}

/** The text for the column `replaced_tokens`: at most 512 characters of ASCII. */
export function writeReplaced({ clock, isRenewed, superseded, replacements }: ReplacedTokens): string {
  const entries = replacements.map(
    ({ generation, until, isOtherClock }) =>
      `${generation.toString(36)}${isOtherClock ? ':' : '.'}${until.toString(36)}`,
  );
  const head = `${isRenewed ? '!' : '-'}${clock}${superseded === null ? '' : `~${superseded.toString(36)}`}`;
  return [head, ...entries].join(',');
}

/** The current token of a row, and until when those before it may be presented. */
interface Current extends Pick<Replacement, 'generation' | 'until'> {
  readonly replaced: ReplacedTokens;
}

/** When, by which clock, and with which grace in milliseconds, a token is replaced. */
export interface ReplacedAt {
  readonly now: EpochMs;
  readonly clock: string;
  readonly grace: number;
}

/**
 * What to remember once the current token has been replaced too.
 *
 * @param isDropped it was replaced because it got lost: the superseded one stays, with a grace as if it were replaced
 * now
 */
export function withReplaced(
  { generation, until, replaced }: Current,
  { now, clock, grace }: ReplacedAt,
  isDropped = false,
): ReplacedTokens {
  const latest = { generation, until, isOtherClock: false };
  const known = isDropped ? replaced.replacements : withGraceOf(replaced, latest);
  const step = (2 * CLOCK_TOLERANCE + grace) / STEPS;
  const entries = [...known, latest]
    .map((entry) => onClock(entry, replaced, clock))
    .reduce(thinned(step), NONE);
  // Of those that are past by every clock, the last one says all: whatever is older was replaced earlier.
  const left = entries.findIndex((entry) => untilOnAnyClock(entry) > now - CLOCK_TOLERANCE);
  return {
    clock,
    isRenewed: false,
    superseded: isDropped ? (replaced.superseded ?? generation - 1) : null,
    replacements: left < 0 ? entries.slice(-1) : entries.slice(Math.max(0, left - 1)),
  };
}

/** A superseded token whose successors got lost was given its grace anew each time: the last grace counts. */
function withGraceOf(
  { superseded, replacements }: ReplacedTokens,
  latest: Replacement,
): readonly Replacement[] {
  if (superseded === null) return replacements;
  const its = replacements.find(({ generation }) => generation > superseded);
  return replacements.map((one) =>
    one === its ? { ...later(one, latest), generation: one.generation } : one,
  );
}

/** A replacement as it counts on the clock named `clock`. */
function onClock(entry: Replacement, { clock: writer }: ReplacedTokens, clock: string): Replacement {
  return writer === clock ? entry : { ...entry, until: untilOnAnyClock(entry), isOtherClock: true };
}

/** Until when its tokens may be presented, whichever clock is asked. */
function untilOnAnyClock({ until, isOtherClock }: Replacement): EpochMs {
  return isOtherClock ? until : until + CLOCK_TOLERANCE;
}

/**
 * The latest two become one where they and the one before are closer than `step`: the later instant is right for both,
 * since it only delays an alarm, by `step` at most.
 */
function thinned(step: number) {
  return (entries: readonly Replacement[], entry: Replacement): readonly Replacement[] => {
    if (entry.generation === 0) return entries; // nothing is older than the first token
    const [before, last] = [entries.at(-2), entries.at(-1)];
    const isClose = before && last && untilOnAnyClock(entry) - untilOnAnyClock(before) <= step;
    return isClose ? [...entries.slice(0, -1), later(last, entry)] : [...entries, entry];
  };
}

/** One replacement in place of two: it ends no earlier than either of them, on whichever clock. */
function later(last: Replacement, entry: Replacement): Replacement {
  const isOtherClock = last.isOtherClock || entry.isOtherClock;
  const instants = [last, entry].map((one) => (isOtherClock ? untilOnAnyClock(one) : one.until));
  return { generation: entry.generation, until: Math.max(...instants), isOtherClock };
}

/** Until when a token of the generation `presented` may be presented without alarm, on the clock named `clock`. */
export function mayReturnUntil(presented: number, { until, replaced }: Current, clock: string): EpochMs {
  const entry = replaced.replacements.find(({ generation }) => generation > presented);
  return onClock(entry ?? { generation: 0, until, isOtherClock: false }, replaced, clock).until;
}
