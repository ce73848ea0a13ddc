import { type Html, html } from '../html/html.js';
import type { GuardedAction } from './guarded-action.js';
import { MAX_NAME_LENGTH } from './user-name.js';

export interface ConfirmPageInput {
  readonly userId: string;
  /** The action that goes on afterwards. */
  readonly action: GuardedAction | null;
  /** The name of the device that it signs out, where it is about one of the user's own. */
  readonly device: string | null;
}

export function confirmPage({ userId, action, device }: ConfirmPageInput): Html {
  const deed = deedOf(action, device);
  return html`<section class="card narrow" aria-labelledby="confirm-title">
    <h1 id="confirm-title">Confirm that it is you</h1>
    <p id="confirm-hint">
      You are about to <strong>${deed}</strong>. You signed in as <strong>${userId}</strong> a while ago, and
      this needs a fresh sign-in, so that nobody does it who only found this browser open.
    </p>
    <form class="fields" method="post" action="/confirm">
      ${action !== null && html`<input type="hidden" name="action" value="${action.path}" />`}
      <div class="field">
        <label for="name">Your name</label>
        <input
          id="name"
          name="name"
          required
          autofocus
          maxlength="${MAX_NAME_LENGTH}"
          autocomplete="username"
          aria-describedby="confirm-hint"
        />
      </div>
      <button class="button primary wide">${action === null ? 'Confirm' : 'Confirm and sign out'}</button>
    </form>
    <p class="muted">This is a demo: your name is enough.</p>
    <p class="actions"><a class="button" href="/devices">Back to your devices</a></p>
  </section>`;
}

function deedOf(action: GuardedAction | null, device: string | null): string {
  if (action === null) return 'change something that matters';
  if (action.path.endsWith('/sign-out-others')) return 'sign out all other devices';
  if (action.path.endsWith('/sign-out-everywhere')) return 'sign out everywhere';
  return device === null ? 'sign out a device' : `sign out ${device}`;
}
