import type { JsonObject } from './json-data.js';
import type { SessionRow } from './session-row.js';

/*
 * What the sealed payload of a session holds.
 */

/** A message that is kept until it has been read once. */
export interface FlashMessage {
  readonly kind: string;
  readonly text: string;
}

/** A message as it is stored. */
export interface FlashEntry extends FlashMessage {
  readonly id: string;
}

/** What was decided about a session when it began, and no app can change. */
export interface SessionMarks {
  /** How its tokens are sent; absent: by cookie. */
  readonly transport?: 'bearer';
  /** Which kind of client signed in; absent where `onClientChange` was off. */
  readonly client?: string;
  /** The secret that all tokens of the session share. */
  readonly kin?: string;
}

/** What the sealed payload of a row holds. */
export interface SessionContent {
  readonly data: JsonObject;
  readonly flashes: readonly FlashEntry[];
  readonly meta: JsonObject;
  readonly marks?: SessionMarks;
}

/** A row, and its payload opened. */
export interface StoredSession {
  readonly row: SessionRow;
  readonly content: SessionContent;
}
