import { type Html, html } from '../html/html.js';
import { MAX_NAME_LENGTH } from './user-name.js';

export interface ConfirmPageInput {
  readonly userId: string;
  /** The action that goes on afterwards. */
  readonly action: string | null;
}

export function confirmPage({ userId, action }: ConfirmPageInput): Html {
  return html`<section class="card narrow" aria-labelledby="confirm-title">
    <h1 id="confirm-title">Confirm that it is you</h1>
    <p class="muted" id="confirm-hint">
      You signed in as <strong>${userId}</strong> a while ago. Logging devices out needs a fresh sign-in, so
      that nobody does it who only found this browser open. This is a demo: your name is enough.
    </p>
    <form class="fields" method="post" action="/confirm">
      ${action !== null && html`<input type="hidden" name="action" value="${action}" />`}
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
      <button class="button primary wide">${action === null ? 'Confirm' : 'Confirm and log out'}</button>
    </form>
    <p class="actions"><a class="button" href="/devices">Back to your devices</a></p>
  </section>`;
}
