import {
  CLOCK_TOLERANCE,
  mayReturnUntil,
  type ReplacedTokens,
  readReplaced,
  withReplaced,
  writeReplaced,
} from '../../src/core/replaced-tokens.js';

const NOW = 10_000_000;
const GRACE = 30_000;
const AT = { now: NOW, clock: 'mine', grace: GRACE };
/** Replacements closer than this are thinned. */
const STEP = (2 * CLOCK_TOLERANCE + GRACE) / 8;

type Replacement = ReplacedTokens['replacements'][number];

/** Of that generation, until so many milliseconds after now, by the clock that wrote it. */
const own = (generation: number, after: number): Replacement => {
  return { generation, until: NOW + after, isOtherClock: false };
};
const foreign = (generation: number, after: number): Replacement => {
  return { ...own(generation, after), isOtherClock: true };
};
const remembered = (replacements: readonly Replacement[], more: Partial<ReplacedTokens> = {}) => {
  return { clock: 'mine', isRenewed: false, superseded: null, replacements, ...more };
};
/** What is remembered once the token of that generation has been replaced, whose predecessor had its grace until then. */
const replace = ({ generation, until }: Replacement, replaced: ReplacedTokens, isDropped?: boolean) =>
  isDropped === undefined
    ? withReplaced({ generation, until, replaced }, AT)
    : withReplaced({ generation, until, replaced }, AT, isDropped);

describe('what is remembered of replaced tokens', () => {
  it.each<[string, ReplacedTokens]>([
    ['-', remembered([], { clock: '' })],
    ['-mine', remembered([])],
    ['!mine', remembered([], { isRenewed: true })],
    ['-mine~0', remembered([], { superseded: 0 })],
    [
      '!mine~a,1.5yfmo,b:5ydu8',
      remembered([own(1, 4_640), foreign(11, 2_320)], { isRenewed: true, superseded: 10 }),
    ],
  ])('is written as %s, and read again', (text, replaced) => {
    expect(writeReplaced(replaced)).toBe(text);
    expect(readReplaced(text)).toEqual(replaced);
  });

  it('is nothing before a token is replaced', () => {
    expect(readReplaced('')).toEqual(remembered([], { clock: '' }));
  });
});

describe('a token that is replaced', () => {
  it('leaves nothing to remember if it was the first: none is older', () => {
    expect(replace(own(0, 0), readReplaced(''))).toEqual(remembered([]));
  });

  it('leaves until when those before it may be presented', () => {
    expect(replace(own(1, 30_000), readReplaced('-mine'))).toEqual(remembered([own(1, 30_000)]));
    const two = remembered([own(1, -40_000)], { isRenewed: true });
    expect(replace(own(2, 30_000), two)).toEqual(remembered([own(1, -40_000), own(2, 30_000)]));
  });

  it('by another clock makes every instant as much later as clocks may differ, and once', () => {
    const theirs = remembered([own(1, -40_000), foreign(2, 90_000)], { clock: 'theirs' });
    expect(replace(own(3, 200_000), theirs).replacements).toEqual([
      foreign(1, -40_000 + CLOCK_TOLERANCE),
      foreign(2, 90_000),
      foreign(3, 200_000 + CLOCK_TOLERANCE),
    ]);
    const mine = remembered([foreign(1, 80_000), foreign(2, 90_000)]);
    expect(replace(own(3, 200_000), mine).replacements).toEqual([...mine.replacements, own(3, 200_000)]);
  });

  it.each<[string, readonly Replacement[], Replacement, readonly Replacement[]]>([
    [
      'are as far from the one before as a step',
      [own(1, 0), own(2, 1_000)],
      own(3, STEP),
      [own(1, 0), own(3, STEP)],
    ],
    [
      'are farther from it',
      [own(1, 0), own(2, 1_000)],
      own(3, STEP + 1),
      [own(1, 0), own(2, 1_000), own(3, STEP + 1)],
    ],
    [
      'are close, the earlier one longer in force',
      [own(1, 0), own(2, STEP)],
      own(3, 1_000),
      [own(1, 0), own(3, STEP)],
    ],
    [
      'are close, the earlier one longer in force, others farther before',
      [own(1, -99_000), own(2, 0), own(3, STEP)],
      own(4, 1_000),
      [own(1, -99_000), own(2, 0), own(4, STEP)],
    ],
    [
      'are close to each other alone',
      [own(1, -99_000), own(2, 0), own(3, STEP + 9_000)],
      own(4, STEP + 1),
      [own(1, -99_000), own(2, 0), own(3, STEP + 9_000), own(4, STEP + 1)],
    ],
    [
      'are close, of two clocks, ours the later',
      [foreign(1, CLOCK_TOLERANCE), foreign(2, CLOCK_TOLERANCE)],
      own(3, 1_000),
      [foreign(1, CLOCK_TOLERANCE), foreign(3, CLOCK_TOLERANCE + 1_000)],
    ],
    [
      'are close, of two clocks, theirs the later',
      [foreign(1, CLOCK_TOLERANCE), foreign(2, CLOCK_TOLERANCE + 9_000)],
      own(3, 1_000),
      [foreign(1, CLOCK_TOLERANCE), foreign(3, CLOCK_TOLERANCE + 9_000)],
    ],
  ])('is thinned where the latest two %s', (_, known, latest, left) => {
    expect(replace(latest, remembered(known)).replacements).toEqual(left);
  });

  it.each<[string, readonly Replacement[], readonly Replacement[]]>([
    ['none is', [own(1, -99_000), own(2, -50_000)], [own(1, -99_000), own(2, -50_000)]],
    ['the first is', [own(1, -500_000), own(2, -99_000)], [own(1, -500_000), own(2, -99_000)]],
    ['two are', [own(1, -500_000), own(2, -400_000)], [own(2, -400_000)]],
    ['one is, by a hair', [own(1, -500_000), own(2, -2 * CLOCK_TOLERANCE)], [own(2, -2 * CLOCK_TOLERANCE)]],
    [
      'one would be, but for a hair',
      [own(1, -500_000), own(2, 1 - 2 * CLOCK_TOLERANCE)],
      [own(1, -500_000), own(2, 1 - 2 * CLOCK_TOLERANCE)],
    ],
  ])('is remembered while it is not past by every clock, and one that is: where %s', (_, known, left) => {
    expect(replace(own(3, 30_000), remembered(known)).replacements).toEqual([...left, own(3, 30_000)]);
  });

  it('is remembered alone where all are past', () => {
    const known = [own(1, -900_000), own(2, -800_000)];
    expect(replace(own(3, -700_000), remembered(known)).replacements).toEqual([own(3, -700_000)]);
  });

  it('because it got lost leaves the superseded one as it was', () => {
    const first = replace(own(2, 30_000), remembered([own(1, -99_000)], { isRenewed: true }), true);
    expect(first).toEqual(remembered([own(1, -99_000), own(2, 30_000)], { superseded: 1 }));
    const second = replace(own(3, 90_000), first, true);
    expect(second).toEqual(remembered([own(1, -99_000), own(2, 30_000), own(3, 90_000)], { superseded: 1 }));
    expect(replace(own(1, 30_000), remembered([], { superseded: 0 }), true).superseded).toBe(0);
  });

  it('behind some that got lost gives the superseded one the last of its graces, and ends that', () => {
    const lost = remembered([own(1, -99_000), own(2, -50_000), own(3, -10_000)], { superseded: 1 });
    expect(replace(own(4, 30_000), lost, false)).toEqual(
      remembered([own(1, -99_000), own(2, 30_000), own(4, 30_000)]),
    );
    const two = remembered([own(1, -99_000), own(2, -50_000)], { superseded: null });
    expect(replace(own(4, 30_000), two, false)).toEqual(
      remembered([own(1, -99_000), own(2, -50_000), own(4, 30_000)]),
    );
  });
});

describe('until when a replaced token may be presented', () => {
  const replaced = remembered([own(2, 10), foreign(5, 20)]);
  const current = { generation: 7, until: NOW + 30, replaced };

  it.each<[string, number, string, number]>([
    ['replaced by one that is remembered', 0, 'mine', 10],
    ['just before that', 1, 'mine', 10],
    ['that is remembered itself', 2, 'mine', 20],
    ['before one of another clock', 4, 'mine', 20],
    ['replaced by the current one', 5, 'mine', 30],
    ['on another clock', 0, 'theirs', 10 + CLOCK_TOLERANCE],
    ['on another clock, before one of another clock', 4, 'theirs', 20],
    ['replaced by the current one, on another clock', 6, 'theirs', 30 + CLOCK_TOLERANCE],
  ])('%s (generation %i, clock %s)', (_, presented, clock, after) => {
    expect(mayReturnUntil(presented, current, clock)).toBe(NOW + after);
  });
});
