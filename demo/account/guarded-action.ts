/** How long ago a sign-in may be for what a thief with a stolen cookie would like to do. */
export const RECENT = '5m';

/** An action of this app that needs a recent sign-in. */
export interface GuardedAction {
  /** Where its form goes. */
  readonly path: string;
  /** What it signs out: the other devices, all of them, one of them, or a session of anybody. */
  readonly about: 'others' | 'everywhere' | 'device' | 'session';
  /** Of which session; empty: it is about more than one. */
  readonly id: string;
}

const FORMS = {
  others: /^\/devices\/sign-out-others()$/,
  everywhere: /^\/devices\/sign-out-everywhere()$/,
  device: /^\/devices\/([0-9A-Z]{26})\/sign-out$/,
  session: /^\/online\/([0-9A-Z]{26})\/sign-out$/,
} as const satisfies Record<GuardedAction['about'], RegExp>;

/** The action with that path; `null` when there is none, whatever was asked for. */
export function guardedAction(wanted: unknown): GuardedAction | null {
  if (typeof wanted !== 'string') return null;
  for (const [about, form] of Object.entries(FORMS) as [GuardedAction['about'], RegExp][]) {
    const [path, id = ''] = form.exec(wanted) ?? [];
    if (path !== undefined) return { path, about, id };
  }
  return null;
}

/** The page that asks who somebody is, and goes on with that action. */
export function confirmPath(action: GuardedAction | null): string {
  return action === null ? '/confirm' : `/confirm?${new URLSearchParams({ action: action.path }).toString()}`;
}
