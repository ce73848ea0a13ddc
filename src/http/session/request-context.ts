import type { JsonObject } from '../../core/json-data.js';

/** Where the failure of a step goes that nobody waits for. */
export interface ForgottenFailures {
  /** Whether it can still be the failure of the response. */
  readonly canFailResponse: boolean;
  /** Told of one that can not. */
  reportForgotten(error: unknown): void;
}

/** The request, as far as a session needs it. */
export interface RequestContext {
  /** Address of the client, for events. */
  readonly ip?: string;
  /** Whether serving this request counts as use. */
  isUse(): boolean;
  /** Default persistence of new cookies. */
  readonly persistent: boolean;
  /** About the client, for a new session; `own` is what the app adds for this one. */
  describeClient(own: JsonObject): JsonObject;
  /** Whether clients may hold bearer tokens. */
  readonly acceptsBearer?: boolean;
  /** Whether the request came with a bearer token: whoever keeps that takes no cookie. */
  readonly isBearer?: boolean;
  clientFamily?(): string | undefined;
  /**
   * Why the request may change nothing, or sign nobody in: a page of another site made the browser send it. `null`: it
   * may.
   */
  refusalOf?(step: 'change' | 'sign-in'): Error | null;
  /** Whether the browser may have a cookie that it withheld, so that a new session would take its place. */
  readonly isCookieWithheld?: boolean;
  /**
   * Whether the session of that user, or of nobody, may have the data: not when it would make Passport take somebody else
   * for signed in. What is not accepted is told to the log.
   */
  acceptsData?(data: JsonObject, userId: string | null): boolean;
  /**
   * The same of a change: of `next`, what `before` did not have.
   *
   * @throws SessionDataError for what is not accepted
   */
  checkData?(before: JsonObject, next: JsonObject, userId: string | null): void;
  /** Whether the head of the response has not left yet, so that a cookie can go with it. */
  canCarryCookie(): boolean;
  /** Told when a handler reaches for data or messages. */
  noteUse?(): void;
  /** Told about each call to the session that failed. */
  noteFailure?(error: unknown): void;
  /** Without a response that could fail, a rejection that nobody takes is an unhandled one. */
  readonly forgotten?: ForgottenFailures;
}
