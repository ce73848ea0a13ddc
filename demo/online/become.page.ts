import { type Html, html } from '../html/html.js';

/** For who is no administrator yet. */
export function becomePage(): Html {
  return html`<header class="page-header">
      <h1>Who is online</h1>
      <p>
        Administrators see the sessions of everybody: who, where, since when. Never a token, and never what is
        in them.
      </p>
    </header>
    <form method="post" action="/online/become">
      <button class="button primary">Become an administrator</button>
      <p class="muted">In a demo that is all it takes. Your session goes on with a new token.</p>
    </form>`;
}
