import { type Html, html } from '../html/html.js';
import type { GuardedAction } from './guarded-action.js';
import { MAX_NAME_LENGTH } from './user-name.js';

export interface ConfirmPageInput {
  readonly userId: string;
  /** The action that goes on afterwards. */
  readonly action: GuardedAction | null;
  /** What it does: "sign out Safari on iOS". */
  readonly deed: string;
}

export function confirmPage({ userId, action, deed }: ConfirmPageInput): Html {
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
