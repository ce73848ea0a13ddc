/** Who mounts a guard that enters a context of its own for what runs behind it. */
const CLS_GUARD = 'ClsGuard';

/**
 * What is wrong with the guards of an app, or `null`. What a guard enters by `AsyncLocalStorage.enterWith` behind one
 * that is asynchronous reaches no handler: Nest awaits the first, and runs the others in what comes of that. Handlers
 * then find the context that there was before, on a connection that is used again that of an earlier request.
 */
export function lostContext(guards: readonly object[], mount: 'guard' | 'middleware'): string | null {
  if (mount === 'middleware') return null; // the guard has nothing to wait for
  if (!guards.some((guard) => guard.constructor.name === CLS_GUARD)) return null;
  return (
    'nestjs-cls is mounted by `guard: { mount: true }`, behind the guard that loads sessions: handlers do not get the ' +
    'context of their request, and may get that of another. Mount it by `middleware: { mount: true }`, or load sessions ' +
    "before guards run: `mount: 'middleware'` of SessionModule"
  );
}
