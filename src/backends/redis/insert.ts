import { randomBytes } from 'node:crypto';
import type { InsertRequest, InsertResult } from '../../core/session-backend.js';
import type { SessionRow } from '../../core/session-row.js';
import { sleep } from '../../core/timers.js';
import { type BucketClient, type FoundKey, isRefusal } from './bucket-client.js';
import { bucketOf, bucketOfId, bucketOfUser } from './buckets.js';
import { Claimed, whenDecided } from './claimed-rows.js';
import {
  listOf,
  numberOf,
  textBytesOf,
  type Reply,
  textOf,
  type Word,
} from './connection/redis-connection.js';
import { forgetPointers } from './pointers.js';
import { headLength, packRow, told, unpackRow, unpackUse } from './row-packing.js';
import { BURY, CANCEL, CLAIM, FENCE, POINT, UNCLAIM } from './scripts/claims.js';
import { INSERT } from './scripts/insert.js';
import type { RedisScript } from './scripts/redis-script.js';
import { TooLateError } from './server-clock.js';

/*
 * Beginning a session. The new row, the limit and what is replaced are one script where they are in one bucket. A row of
 * another bucket is claimed first, and removed when the new one is there, or given back if there will be none. Where it is known
 * before the new row is built that they are in two, the row is claimed and read in one round trip.
 */

/** How often a step begins again because somebody else was faster. */
const ATTEMPTS = 200;

/** Milliseconds between two attempts at most. */
const LONGEST_PAUSE = 100;

/** How often a row is built anew because it came later than one that was built later. */
const OVERTAKEN = 5;

/** A row that is to be replaced, and where. */
interface Replaced {
  readonly id: string;
  readonly bucket: string;
  readonly use: Buffer;
  readonly rest: Buffer;
  /** The name of the claim to it; `null`: it has not been claimed. */
  readonly claim: string | null;
}

/** What the id of a row is shown before the row is inserted; empty words where the id leads to the bucket by itself. */
interface Pointing {
  readonly pointer: string;
  /** Later pointers have greater ones, so that a fence against one is one against all before it. */
  readonly number: string;
  readonly deadline: string;
}

const NO_POINTING: Pointing = { pointer: '', number: '', deadline: '' };

/** @param deadline when the call will have been answered, by `performance.now()`: no session begins after that */
export async function insert(
  client: BucketClient,
  request: InsertRequest,
  deadline: number,
): Promise<InsertResult> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const replaced =
      request.replaces === null ? null : await findReplaced(client, request.replaces, request, deadline);
    const row = await build(client, request, replaced);
    if (row === null) return { status: 'refused' };
    const step = new InsertStep(client, request, deadline, row, replaced, attempt < OVERTAKEN);
    const result = await step.take();
    if (result === 'ended') throw new Error('The session has ended before it was known to be stored');
    if (result !== null) return result;
  }
  throw new Error(`The session was not stored: other calls were faster ${ATTEMPTS} times`);
}

/** Builds the new row. If there is to be none, the row that it would replace is what it was. */
async function build(
  client: BucketClient,
  request: InsertRequest,
  replaced: Replaced | null,
): Promise<SessionRow | null> {
  let row: SessionRow | null = null;
  try {
    row = request.build(replaced && unpack(replaced));
  } finally {
    if (row === null && replaced !== null && replaced.claim !== null)
      await unclaimConfirmed(client, replaced.bucket, replaced.id, replaced.claim);
  }
  return row;
}

/** The row that an id leads to; `null`: there is none. */
async function findReplaced(
  client: BucketClient,
  id: string,
  { userId }: InsertRequest,
  deadline: number,
): Promise<Replaced | null> {
  const next = userId === null ? null : bucketOfUser(userId);
  const find = (bucket: string) =>
    next === null || next === bucket
      ? client.look(bucket, id, true)
      : claimAndLook(client, bucket, id, deadline);
  return whenDecided(client, id, true, async () => {
    let found: FoundKey & { readonly isOurs?: boolean } = await find(bucketOfId(id));
    if (found.use === null && found.pointer !== null) found = await find(found.pointer.slice(0, 2));
    const { bucket, use, rest, claim, isOurs = false } = found;
    if (use === null || rest === null) return null;
    return claim === null || isOurs ? { id, bucket, use, rest, claim } : new Claimed(bucket, claim);
  });
}

/** Claims a row, and reads it in the same round trip. */
async function claimAndLook(
  client: BucketClient,
  bucket: string,
  id: string,
  deadline: number,
): Promise<FoundKey & { readonly isOurs: boolean }> {
  const claim = newNonce();
  try {
    const [said, found] = await Promise.all([
      client.write(CLAIM, bucket, [id, claim, '', ''], deadline),
      client.look(bucket, id, true),
    ]);
    if (numberOf(said) === 0 || found.claim === claim) return { ...found, isOurs: found.claim === claim };
    // Over two connections the look may have come first.
    const after = await client.look(bucket, id, true);
    return { ...after, isOurs: after.claim === claim };
  } catch (error) {
    if (!isRefusal(error)) void unclaim(client, bucket, id, claim);
    throw error;
  }
}

function unpack({ id, use, rest }: Replaced): SessionRow {
  return copy(unpackRow(id, use, rest));
}

/** What tells that a row is still the same: the field u, and the head of the field r. */
function seenOf({ use, rest }: Replaced): readonly [Buffer, Buffer] {
  return [use, rest.subarray(0, headLength(rest))];
}

/** Gives a row back that a claim may have reached whose answer nobody has heard. */
function unclaim(client: BucketClient, bucket: string, id: string, claim: string): Promise<void> {
  return client.settle(() => unclaimOnce(client, bucket, id, claim));
}

/** Gives a row back that was claimed. A replica that has heard of the claim is to hear of this: it is waited for, once. */
function unclaimConfirmed(client: BucketClient, bucket: string, id: string, claim: string): Promise<void> {
  return client.settle(confirmedOnce(client, bucket, id, claim));
}

/** Gives a row back each time that it is called; a replica is waited for at the first. */
function confirmedOnce(client: BucketClient, bucket: string, id: string, claim: string): () => Promise<void> {
  let isFirst = true;
  return async () => {
    if (!isFirst) return unclaimOnce(client, bucket, id, claim);
    isFirst = false;
    numberOf(await client.write(UNCLAIM, bucket, [id, claim]));
  };
}

/** No replica has to confirm it: that would be asked for again and again where there is none, and all else would wait. */
async function unclaimOnce(client: BucketClient, bucket: string, id: string, claim: string): Promise<void> {
  numberOf(await client.run(UNCLAIM, bucket, [id, claim]));
}

/** One try to insert one row. */
class InsertStep {
  readonly #client: BucketClient;
  readonly #request: InsertRequest;
  /** When the call will have been answered, by `performance.now()`. */
  readonly #deadline: number;
  readonly #row: SessionRow;
  readonly #replaced: Replaced | null;
  readonly #bucket: string;
  /** The name of the claim to the replaced row; empty: it is in the bucket of the new one, or there is none. */
  readonly #claim: string;
  /** Gives the replaced row back, if it was claimed. */
  readonly #unclaim: () => Promise<void>;
  readonly #mayBeRebuilt: boolean;
  /** Names the insert, for good: one that is sent again, or delivered late, is known by it. */
  readonly #name = newNonce();
  /** The name of the insert whose row has ended under this id; empty: none has, as far as is known. */
  #tombstone = '';
  /** What was taken down last: a pointer behind which there is no row, and will be none. */
  #takenDown = '';

  constructor(
    client: BucketClient,
    request: InsertRequest,
    deadline: number,
    row: SessionRow,
    replaced: Replaced | null,
    mayBeRebuilt: boolean,
  ) {
    this.#mayBeRebuilt = mayBeRebuilt;
    this.#client = client;
    this.#request = request;
    this.#deadline = deadline;
    this.#row = row;
    this.#replaced = replaced;
    this.#bucket = bucketOf(row);
    this.#claim = replaced === null || replaced.bucket === this.#bucket ? '' : (replaced.claim ?? newNonce());
    this.#unclaim =
      replaced === null
        ? () => Promise.resolve()
        : confirmedOnce(client, replaced.bucket, replaced.id, this.#claim);
  }

  /** @returns `null`: begin again, with the replaced row as it is by then; `'ended'`: the new row was there, and has ended since */
  async take(): Promise<InsertResult | 'ended' | null> {
    const replaced = this.#replaced;
    if (replaced === null) return this.#insertOrSettle(null);
    const { id } = replaced;
    if (this.#claim === '') {
      // A row that its id alone leads to is all that is left of what it replaced, so it stays.
      const isLast = id === this.#row.id || this.#row.tokenHash === null;
      const result = await (isLast ? this.#insert() : this.#insertOrSettle(null));
      const isReplaced = result === 'ended' || result?.status === 'inserted';
      if (isReplaced && id !== this.#row.id) forgetPointers(this.#client, replaced.bucket, [id]);
      return result;
    }
    if (replaced.claim === null && !(await this.#claimed(replaced))) return null;
    const result = await this.#insertOrSettle(replaced);
    if (result === 'ended' || result?.status === 'inserted') this.#bury(replaced);
    else await this.#client.settle(() => this.#giveBack(replaced));
    return result;
  }

  #write(script: RedisScript, bucket: string, words: readonly Word[]): Promise<Reply> {
    return this.#client.write(script, bucket, words, this.#deadline);
  }

  /** Claims the row as it was seen. @returns `false`: it is another one by now */
  async #claimed(replaced: Replaced): Promise<boolean> {
    const { id, bucket } = replaced;
    try {
      return numberOf(await this.#write(CLAIM, bucket, [id, this.#claim, ...seenOf(replaced)])) === 1;
    } catch (error) {
      if (!isRefusal(error)) void unclaim(this.#client, bucket, id, this.#claim);
      throw error;
    }
  }

  /** Inserts the row. An error leaves neither the new row nor the claim, and neither does what comes when nobody waits for it. */
  async #insertOrSettle(claimed: Replaced | null): Promise<InsertResult | 'ended' | null> {
    const takeBack = (isRefused: boolean) =>
      void this.#client.settle(() => this.#takeBack(claimed, isRefused));
    let result: InsertResult | 'ended' | null;
    try {
      result = await this.#insert();
    } catch (error) {
      takeBack(isRefusal(error));
      throw error;
    }
    if (this.#request.isGivenUp?.() !== true) return result;
    takeBack(false);
    throw new TooLateError();
  }

  /**
   * Takes the new row back, which may be there, and gives the claimed one back.
   *
   * @param isRefused whether it is certain that the new row is not there
   */
  async #takeBack(claimed: Replaced | null, isRefused: boolean): Promise<void> {
    if (!isRefused) numberOf(await this.#client.run(CANCEL, this.#bucket, [this.#row.id, this.#name]));
    if (claimed !== null) await this.#giveBack(claimed);
  }

  /** Nobody waits for it: whoever asks for the row waits. */
  #bury({ id, bucket }: Replaced): void {
    const bury = async (): Promise<void> => {
      numberOf(await this.#client.run(BURY, bucket, [id, this.#claim]));
      if (id !== this.#row.id) forgetPointers(this.#client, bucket, [id]);
    };
    void this.#client.settle(bury);
  }

  async #insert(): Promise<InsertResult | 'ended' | null> {
    let pointing: Pointing | null = null;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // Those who take down each other's pointers to one id would go on for long if they all went on at once.
      if (attempt > 1) await sleep(Math.random() * Math.min(4 * attempt, LONGEST_PAUSE));
      if (pointing === null) {
        const pointed = await this.#point();
        if (pointed === 'taken') return { status: 'taken' };
        if (pointed === null) continue;
        pointing = pointed;
      }
      const reply = listOf(await this.#write(INSERT, this.#bucket, this.#words(pointing)));
      switch (textOf(reply[0])) {
        case 'inserted':
          return this.#inserted(reply.slice(1));
        case 'taken':
          return { status: 'taken' };
        case 'limit':
          return { status: 'limit' };
        case 'stale':
          return null;
        case 'ended':
          return 'ended';
        case 'fenced':
          this.#takenDown = `${this.#bucket} ${pointing.number}`;
          break;
        case 'tombstone':
          this.#tombstone = textOf(reply[1]);
          continue; // the id still leads here
        case 'pointer':
          if (!(await this.#takeDown(textOf(reply[1])))) return { status: 'taken' };
      }
      pointing = null;
    }
    return null;
  }

  /** Lets the id lead to the bucket. @returns `null`: try again */
  async #point(): Promise<Pointing | 'taken' | null> {
    const { id, absoluteExpiresAt } = this.#row;
    const home = bucketOfId(id);
    if (home === this.#bucket) return { ...NO_POINTING, pointer: this.#takenDown };
    const over = String(absoluteExpiresAt);
    const words = [id, this.#bucket, over, this.#takenDown, this.#claim];
    const [said, pointer, deadline] = listOf(await this.#write(POINT, home, words)).map(textOf);
    if (said === 'taken') return 'taken';
    if (said === 'points' && pointer !== undefined && deadline !== undefined)
      return { pointer: '', number: pointer.slice(3), deadline };
    return (await this.#takeDown(pointer ?? '')) ? null : 'taken';
  }

  /** @returns whether there is no row behind the pointer, and will be none */
  async #takeDown(pointer: string): Promise<boolean> {
    const [bucket, number] = [pointer.slice(0, 2), pointer.slice(3)];
    const words = [this.#row.id, number, this.#claim];
    this.#takenDown = pointer;
    return numberOf(await this.#client.write(FENCE, bucket, words)) === 1;
  }

  #words({ pointer, number, deadline }: Pointing): readonly Word[] {
    const row = this.#row;
    const { limit, replaces } = this.#request;
    const { use, rest } = packRow(row);
    const isLimited = limit !== null && row.userId !== null && row.tokenHash !== null;
    const isReplacedHere = replaces !== null && this.#claim === '';
    const seen = this.#replaced !== null && isReplacedHere ? seenOf(this.#replaced) : ['', ''];
    return [
      row.id,
      use,
      rest,
      row.userId ?? '',
      String(Math.max(row.createdAt, row.lastActiveAt)),
      isLimited ? String(limit.max) : '',
      isLimited ? limit.onLimit : '',
      // Of a row that was not there, only the bucket that it would be in can tell that it still is not.
      isReplacedHere && (this.#replaced !== null || bucketOfId(replaces) === this.#bucket) ? replaces : '',
      ...seen,
      pointer,
      number,
      deadline,
      row.keyId,
      this.#mayBeRebuilt ? '1' : '',
      this.#name,
      this.#tombstone,
    ];
  }

  #inserted(evicted: readonly unknown[]): InsertResult {
    const ended = [];
    for (let index = 0; index + 1 < evicted.length; index += 2) {
      const use = textBytesOf(evicted[index + 1]);
      ended.push(told(unpackUse(textOf(evicted[index]), use)));
    }
    return {
      status: 'inserted',
      row: copy(this.#row),
      replaced: this.#replaced && unpack(this.#replaced),
      evicted: ended,
    };
  }

  /** Nothing has been inserted: the replaced row is what it was, and so is where its id leads. */
  async #giveBack(replaced: Replaced): Promise<void> {
    const { id, bucket } = replaced;
    await this.#unclaim();
    const home = bucketOfId(id);
    if (id !== this.#row.id || bucket === home) return;
    const { pointer } = await this.#client.look(home, id, false);
    if (pointer === null || pointer.slice(0, 2) === bucket) return;
    const words = [id, bucket, String(unpack(replaced).absoluteExpiresAt), pointer, ''];
    listOf(await this.#client.write(POINT, home, words));
  }
}

function newNonce(): string {
  return randomBytes(9).toString('base64url');
}

function copy(row: SessionRow): SessionRow {
  return { ...row, payload: Buffer.from(row.payload) };
}
