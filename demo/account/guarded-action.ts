/** How long ago a sign-in may be for what a thief with a stolen cookie would like to do. */
export const RECENT = '5m';

/** An action of this app that needs a recent sign-in; `null` when what was asked for is none. */
export function guardedAction(wanted: unknown): string | null {
  const isOne =
    typeof wanted === 'string' &&
    /^\/devices\/(?:log-out-others|log-out-everywhere|[0-9A-Z]{26}\/log-out)$/.test(wanted);
  return isOne ? wanted : null;
}

/** The page that asks who somebody is, and goes on with that action. */
export function confirmPath(action: string | null): string {
  return action === null ? '/confirm' : `/confirm?${new URLSearchParams({ action }).toString()}`;
}
