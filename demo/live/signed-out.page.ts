import { signInPath } from '../account/return-to.js';
import { type Html, html } from '../html/html.js';

export interface SignedOutPageInput {
  /** Why, as a sentence. */
  readonly why: string;
  /** Where the page was. */
  readonly returnTo: string;
}

/** Takes the place of a page whose session has ended. */
export function signedOutPage({ why, returnTo }: SignedOutPageInput): Html {
  return html`<section class="card narrow" aria-labelledby="signed-out-title">
    <h1 id="signed-out-title" tabindex="-1">Signed out</h1>
    <p role="alert">${why}</p>
    <p class="actions"><a class="button primary" href="${signInPath(returnTo)}">Sign in again</a></p>
  </section>`;
}
