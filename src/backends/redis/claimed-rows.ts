import { RowError } from '../../core/row-errors.js';
import { performance, setProcessTimeout, sleep } from '../../core/timers.js';
import type { BucketClient } from './bucket-client.js';
import { numberOf } from './connection/redis-connection.js';
import { BURY } from './scripts/claims.js';
import { CLAIM_AGE } from './scripts/redis-script.js';

/*
 * A row that a sign-in in another bucket has claimed is about to end, unless that sign-in is refused: then it is given back.
 * Nobody can say until then whether there is a session, so whoever asks waits. It takes a round trip as a rule.
 */

/** Milliseconds that a claim is waited for, and for which it is then known that this was in vain. */
const [PATIENCE, MEMORY] = [1_000, 1_000];

/** Milliseconds that it is waited for by what others wait for as well. */
const SHORT_PATIENCE = 100;

/** Milliseconds between two looks, first and at most. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [1, 50];

/** What a call finds in place of a row: a claim to it. */
export class Claimed {
  /** Where the row is. */
  readonly in: string;
  /** Whose it is; empty: nobody has said. */
  readonly name: string;

  constructor(bucket: string, name = '') {
    this.in = bucket;
    this.name = name;
  }
}

/** Nobody can say yet whether a session has ended. */
export class UndecidedRowError extends RowError {
  override readonly name = 'UndecidedRowError';

  constructor() {
    super('A sign-in in place of the session is under way: nobody can say yet whether the session has ended');
  }
}

/** A claim that somebody has met. */
interface MetClaim {
  /** When, by `performance.now()`. */
  readonly since: number;
  /** Resolves to whether it was decided while somebody waited; `null`: nobody waits. */
  wait: Promise<boolean> | null;
}

/** Those claims that are not known to be decided, by row and name. All who wait for one share one look at it. */
const met = new WeakMap<BucketClient, Map<string, MetClaim>>();

/**
 * Calls until nobody has a claim to the row of an id.
 *
 * @param isAlone whether nobody else has to wait for the same call. Otherwise nobody waits for a claim that has been there for
 *   longer than `SHORT_PATIENCE`
 * @throws UndecidedRowError when it takes too long
 */
export async function whenDecided<R>(
  client: BucketClient,
  id: string,
  isAlone: boolean,
  call: () => Promise<R | Claimed>,
): Promise<R> {
  for (;;) {
    const result = await call();
    if (!(result instanceof Claimed)) return result;
    const { since, wait } = meet(client, result, id);
    const left = isAlone ? PATIENCE : Math.max(0, since + SHORT_PATIENCE - performance.now());
    const isLate = sleep(left, undefined, false).then(() => false);
    if (!(await Promise.race([wait, isLate]))) throw new UndecidedRowError();
  }
}

/** Waits for a claim, with all others who do. */
function meet(client: BucketClient, claim: Claimed, id: string): MetClaim {
  let ofClient = met.get(client);
  if (!ofClient) met.set(client, (ofClient = new Map()));
  const [all, key] = [ofClient, `${claim.name} ${id}`];
  const known = all.get(key) ?? { since: performance.now(), wait: null };
  if (known.wait) return known;
  const wait = look(client, claim.in, id);
  all.set(key, Object.assign(known, { wait }));
  const forget = (): void => void all.delete(key);
  const waitAgain = (): void => {
    known.wait = null;
    if (claim.name === '') forget(); // the next one without a name may be another one
  };
  wait.then((decided) => {
    if (decided) return forget();
    setProcessTimeout(waitAgain, MEMORY);
    setProcessTimeout(forget, CLAIM_AGE);
  }, forget);
  return known;
}

async function look(client: BucketClient, bucket: string, id: string): Promise<boolean> {
  const end = performance.now() + PATIENCE;
  for (let pause = FIRST_PAUSE; performance.now() < end; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    if (await isAbandoned(client, bucket, id)) return true;
    await sleep(pause);
    if ((await client.look(bucket, id, false)).claim === null) return true;
  }
  return false;
}

/** Whether the claim is so old that its sign-in has crashed; the row is removed then. */
export async function isAbandoned(client: BucketClient, bucket: string, id: string): Promise<boolean> {
  return numberOf(await client.run(BURY, bucket, [id, ''])) === 1;
}
