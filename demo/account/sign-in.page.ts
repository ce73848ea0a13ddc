import { type Html, html } from '../html/html.js';
import { MAX_NAME_LENGTH } from './user-name.js';

export interface SignInPageInput {
  /** Who is signed in already. */
  readonly userId: string | null;
  readonly returnTo: string;
}

export function signInPage({ userId, returnTo }: SignInPageInput): Html {
  return html`<section class="card narrow" aria-labelledby="sign-in-title">
    <h1 id="sign-in-title">Sign in</h1>
    <p class="muted">
      ${
        userId === null
          ? 'This is a demo: any name will do, and there is no password.'
          : `You are signed in as ${userId}. Another name signs you in as somebody else.`
      }
    </p>
    <form class="fields" method="post" action="/sign-in">
      <input type="hidden" name="returnTo" value="${returnTo}" />
      <div class="field">
        <label for="name">Your name</label>
        <input id="name" name="name" required maxlength="${MAX_NAME_LENGTH}" autocomplete="username" />
      </div>
      <div class="check">
        <input id="remember" name="remember" type="checkbox" aria-describedby="remember-hint" />
        <label for="remember">Remember me</label>
        <p class="muted" id="remember-hint">For 30 days. Otherwise until you close the browser.</p>
      </div>
      <button class="button primary wide">Sign in</button>
    </form>
    <p class="muted">
      Sign in with the same name in a second browser or on your phone, and see both under <em>Devices</em>.
      Sign one out there, and its open page ends by itself.
    </p>
  </section>`;
}
