/** How long ago a sign-in may be for what a thief with a stolen cookie would like to do. */
export const RECENT = '5m';

/** An action of this app that needs a recent sign-in. */
export interface GuardedAction {
  /** Where its form goes. */
  readonly path: string;
  /** The device that it signs out; `null`: it is about more than one. */
  readonly deviceId: string | null;
}

const FORM = /^\/devices\/(?:sign-out-others|sign-out-everywhere|([0-9A-Z]{26})\/sign-out)$/;

/** The action with that path; `null` when there is none, whatever was asked for. */
export function guardedAction(wanted: unknown): GuardedAction | null {
  const match = typeof wanted === 'string' ? FORM.exec(wanted) : null;
  return match && { path: match[0], deviceId: match[1] ?? null };
}

/** The page that asks who somebody is, and goes on with that action. */
export function confirmPath(action: GuardedAction | null): string {
  return action === null ? '/confirm' : `/confirm?${new URLSearchParams({ action: action.path }).toString()}`;
}
