import { toUserId, type UserId } from '../../core/identifiers.js';
import { toJsonObject } from '../../core/json-data.js';
import type { SessionChanges } from '../../core/merge-changes.js';
import { type SessionMarks, type StoredSession, transportOf } from '../../core/session-content.js';
import { gone, SessionConflictError } from '../../core/session-errors.js';
import type { SessionToken } from '../../core/session-token.js';
import { checkAuthenticateOptions } from './authenticate-options.js';
import { PASSPORT_KEY } from '../security/passport-user.js';
import { AuthenticationRequiredException } from '../errors/exceptions.js';
import type { RequestSessionState } from './request-session-state.js';
import type { AuthenticateOptions } from '../session.interface.js';

/** `session.authenticate()`: resolves to the token where no cookie carries it. */
export function signIn(
  work: RequestSessionState,
  userId: UserId,
  options: AuthenticateOptions<object>,
): Promise<SessionToken | undefined> {
  const { manager, context } = work;
  return work.inTurn(async () => {
    checkAuthenticateOptions(options, context.acceptsBearer ?? false);
    const isBearer = options.transport === 'bearer';
    if (!isBearer) {
      work.refuseForeign('sign-in');
      work.requireCookie('sign in');
    } else if (work.stored !== null) work.refuseForeign('change');
    const id = toUserId(userId);
    if (id === work.endedUserId) throw gone();
    const data = toJsonObject(options.data ?? {});
    context.checkData?.({}, data, id);
    const snapshot = work.copy.take();
    const created = await manager.create(
      {
        userId: id,
        meta: context.describeClient(toJsonObject(options.meta ?? {}, 'meta')),
        previousId: work.presentId,
        previousUserId: work.stored?.row.userId,
        carries: work.stored !== null,
        changes: carriedChanges(work, snapshot.changes, id),
        data,
        remember: options.remember,
        persistent: context.persistent,
        notAfter: options.notAfter,
        marks: marksOf(options, context.clientFamily?.()),
      },
      context.ip,
    );
    work.begin(created, snapshot);
    return isBearer ? created.token : undefined;
  });
}

/**
 * What is done to the data that a sign-in carries over. What Passport was told in the session before, of somebody else
 * than the user, stays behind.
 *
 * @throws SessionDataError when this request says so
 */
function carriedChanges(
  { context, stored }: RequestSessionState,
  changes: SessionChanges,
  userId: string,
): SessionChanges {
  const before = stored?.content.data ?? {};
  const owner = stored?.row.userId ?? null;
  if (owner !== null && owner !== userId) return changes; // nothing is carried over
  context.checkData?.(before, changes.set, userId);
  const carried = Object.hasOwn(changes.set, PASSPORT_KEY) ? changes.set : before;
  if (context.acceptsData?.(carried, userId) !== false) return changes;
  const { [PASSPORT_KEY]: _foreign, ...set } = changes.set;
  return { ...changes, set, remove: [...changes.remove, PASSPORT_KEY] };
}

function marksOf({ transport }: AuthenticateOptions<object>, client?: string): SessionMarks | undefined {
  if (transport !== 'bearer') return client === undefined ? undefined : { client };
  return client === undefined ? { transport } : { transport, client };
}

/** `session.reauthenticate()` */
export function proveAgain(work: RequestSessionState): Promise<void> {
  const { manager, context } = work;
  return work.inTurn(async () => {
    const { stored } = work;
    if (stored === null || stored.row.userId === null)
      throw new AuthenticationRequiredException('authentication_required');
    work.refuseForeign('sign-in');
    requireCookieOf(stored, work);
    const { token, changed } = await manager.renew(stored, context.ip);
    work.renewed(token, { ...stored, row: { ...stored.row, ...changed } });
  });
}

/** `session.rotate()` */
export async function askForRotation(work: RequestSessionState): Promise<void> {
  requireCookieOf(work.stored, work);
  if (work.stored !== null) work.refuseForeign('change');
  work.isRotationWanted = work.stored !== null;
}

/** @throws SessionConflictError when the response cannot carry a new token */
function requireCookieOf(stored: StoredSession | null, work: RequestSessionState): void {
  work.requireCookie('issue a new token');
  if (stored === null || transportOf(stored.content) === 'cookie') return;
  throw new SessionConflictError(
    'Cannot issue a new token: the client keeps a bearer token, which no response replaces by itself. Nothing was ' +
      "changed: authenticate(userId, { transport: 'bearer' }) signs in anew, and resolves to a token to send",
  );
}
