/**
 * The warning for an app whose guard of nestjs-cls sets its context too late; `null`: there is none. Nest awaits the guard
 * that loads sessions, so that a context which a later guard enters by `AsyncLocalStorage.enterWith` does not reach the
 * handler. Handlers then have the context from before: on a connection that is kept alive, that of an earlier request.
 *
 * @param guards the global guards of the app, in order
 * @param mount when sessions are loaded: the option of the module
 */
export function lostContext(guards: readonly object[], mount: 'guard' | 'middleware'): string | null {
  if (mount === 'middleware') return null; // sessions are loaded already, so that no guard is awaited
  if (!guards.some((guard) => guard.constructor.name === CLS_GUARD)) return null;
  return (
    'nestjs-cls is mounted by `guard: { mount: true }`, behind the guard that loads sessions: handlers do not get the ' +
    'context of their request, and may get that of another. Mount it by `middleware: { mount: true }`, or load sessions ' +
    "before guards run: `mount: 'middleware'` of SessionModule"
  );
}

/** Name of the guard of nestjs-cls that sets its context. */
const CLS_GUARD = 'ClsGuard';
