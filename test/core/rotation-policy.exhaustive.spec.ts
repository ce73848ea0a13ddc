import { CLOCK_TOLERANCE } from '../../src/core/replaced-tokens.js';
import { judgeToken } from '../../src/core/rotation-policy.js';
import { SHARE } from './support/random-runs.js';
import { explore, type Findings, type Judge, type StepName } from './support/rotation-states.js';

/**
 * Steps of each way. Flawed rules show within 6, and each step more takes twice as long. `DEPTH=12` is what to run when
 * the rules change.
 */
const DEPTH = Number(process.env['DEPTH'] ?? (SHARE < 1 ? 6 : 10));
/** Of those on which everything may happen at once: their number grows five times with each step. */
const DEPTH_OF_ALL = Math.min(DEPTH, 7);

/** Who may do what. Together they name every step, and each pair of them that can matter to another. */
const CASTS: Readonly<Record<string, readonly StepName[]>> = {
  'an owner who loses answers, and a thief': [
    'the owner rotates',
    'the owner rotates, and the answer gets lost',
    'a thief copies the cookie',
    'the thief reads',
    'the thief reads, and throws the new cookie away',
    'the thief rotates',
    'a second passes',
    'the grace is almost over',
    'the grace is over',
  ],
  'an owner who uploads in a second tab, and a thief': [
    'the owner rotates',
    'the head of an upload arrives',
    'the upload is complete',
    'a thief copies the cookie',
    'the thief rotates',
    'a second passes',
    'the grace is over',
  ],
  'an owner who loses answers, at two replicas': [
    'the owner reads',
    'the owner rotates, and the answer gets lost',
    'the owner reads at the other replica',
    'the owner rotates at the other replica',
    'a second passes',
    'the grace is over',
    'the grace is over by every clock',
  ],
  'an owner who uploads in a second tab, at two replicas': [
    'the owner rotates',
    'the owner rotates at the other replica',
    'the head of an upload arrives',
    'the upload is complete',
    'the upload is complete, and rotates, at the other replica',
    'the grace is over',
    'the grace is over by every clock',
  ],
  'an owner at two replicas, and a thief': [
    'the owner rotates at the other replica',
    'the owner rotates',
    'a thief copies the cookie',
    'the thief rotates',
    'a second passes',
    'the grace is over',
    'the grace is over by every clock',
  ],
  'an owner who loses answers, and a backup': [
    'the owner reads',
    'the owner rotates',
    'the owner rotates, and the answer gets lost',
    'a backup is made',
    'the backup is restored',
    'a second passes',
    'the grace is almost over',
    'the grace is over',
  ],
  'an owner who uploads in a second tab, at two replicas, and a backup': [
    'the owner rotates, and the answer gets lost',
    'the owner rotates at the other replica',
    'the head of an upload arrives',
    'the upload is complete',
    'a backup is made',
    'the backup is restored',
    'the grace is over',
  ],
  'an owner who loses answers, a thief, and a backup': [
    'the owner rotates',
    'the owner rotates, and the answer gets lost',
    'a thief copies the cookie',
    'the thief rotates',
    'a backup is made',
    'the backup is restored',
    'the grace is almost over',
    'the grace is over',
  ],
};

const INVARIANTS = {
  ownerOutside: 'the owner is served, however many answers got lost, unless a thief has been there',
  alarmWithoutThief: 'a session ends by reuse only if a thief has used a copy',
  alarmInGrace: 'no token is taken for reused while its grace lasts',
  unnoticed: 'a token that was replaced longer ago is never served, nor passes for a straggler',
  bothInside: 'when both go on, either the thief is outside or the session has ended',
} as const;

/** Whatever happens in any order, as far as it makes a difference: the sentences that do not hold. */
function broken(found: Findings): string[] {
  return Object.entries(found.violations).map(
    ([invariant, path]) => `${INVARIANTS[invariant as keyof typeof INVARIANTS]}, but not after: ${path}`,
  );
}

describe(
  'the verdict on a token, in every state that can be reached: ' + Object.values(INVARIANTS).join('; '),
  () => {
    it.each(Object.entries(CASTS))(`%s, in ${DEPTH} steps`, (_cast, steps) => {
      const found = explore(judgeToken, DEPTH, { names: steps });
      expect(broken(found)).toEqual([]);
      expect(found.states).toBeGreaterThan(DEPTH * 100);
    });

    it(`all of them at once, in ${DEPTH_OF_ALL} steps`, () => {
      const found = explore(judgeToken, DEPTH_OF_ALL);
      expect(broken(found)).toEqual([]);
    });
  },
);

/** The rule before generations: whatever is not the superseded token goes by the last rotation alone. */
const byTheLastRotation: Judge = (state, presented, at) => {
  const verdict = judgeToken(state, presented, at);
  const isKnown = presented.hash === state.tokenHash || presented.hash === state.supersededHash;
  return isKnown ? verdict : at.now < state.graceUntil ? 'stale' : 'reuse';
};

/** No tolerance for clocks that differ. */
const byEveryClock: Judge = (state, presented, at) =>
  judgeToken(state, presented, { ...at, clock: state.replacedTokens.split(',', 1)[0]?.slice(1) ?? '' });

/** The time is when the body has been read. */
const byTheEndOfTheBody: Judge = (state, presented, at, present) =>
  judgeToken(state, presented, { ...at, now: present });

/** A newer token is a replaced one. */
const withoutFollowing: Judge = (state, presented, at) => {
  const verdict = judgeToken(state, presented, at);
  return verdict === 'ahead' ? (at.now < state.graceUntil + CLOCK_TOLERANCE ? 'stale' : 'reuse') : verdict;
};

describe('the same search finds a rule that is flawed:', () => {
  it.each<[string, Judge, keyof typeof INVARIANTS]>([
    ['one that goes by the last rotation alone', byTheLastRotation, 'unnoticed'],
    ['one that trusts every clock', byEveryClock, 'alarmWithoutThief'],
    ['one that goes by when the body has been read', byTheEndOfTheBody, 'alarmWithoutThief'],
    ['one that takes a newer token for a replaced one', withoutFollowing, 'ownerOutside'],
  ])('%s', (_name, judge, invariant) => {
    expect(explore(judge, 6, { until: invariant }).violations[invariant]).toBeDefined();
  });
});
