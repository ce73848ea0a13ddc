import { isActive } from '../../../src/core/session-expiry.js';
import { judgeToken } from '../../../src/core/rotation-policy.js';
import type { Browser, Thief } from './browser.js';
import { GRACE, type World } from './world.js';

/** Rotations of each after which a theft has to be noticed. */
const ROUNDS = 3;

/**
 * Both go on: the victim and the thief rotate in turn, with more than the grace in between. Then one of them has
 * presented a token that was replaced, so the session has ended, and an event has told of it.
 */
export async function endOfThefts(world: World, thief: Thief): Promise<void> {
  const { victim } = thief;
  const id = thief.sessionId;
  if (victim === null || id === null || victim.sessionId !== id || !isIn(world, thief)) return;
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of [victim, thief]) {
      world.clock.advance(GRACE + 1);
      await one.visit(0, 'rotate', 0);
    }
  }
  const row = world.storage.stored.get(id);
  if (row === undefined ? !world.reused.has(id) : isActive(row, world.clock.now())) {
    world.scheduler.fail(`the thief of ${id} has not been noticed`);
  }
}

/** Whether the session is there for long enough, and would serve the thief. */
function isIn(world: World, thief: Browser): boolean {
  const row = world.storage.stored.get(thief.sessionId ?? '');
  const later = world.clock.now() + 2 * ROUNDS * (GRACE + 1);
  if (row === undefined || !isActive(row, later)) return false;
  const { issuer, clockName } = world.store(0).parts;
  const token = issuer.recognise(thief.cookie ?? '');
  const verdict = token && judgeToken(row, token, { now: world.clock.now(), clock: clockName });
  return verdict !== null && verdict !== 'stale' && verdict !== 'reuse';
}
