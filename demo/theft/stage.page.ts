import { type Html, html } from '../html/html.js';

/** Before a cookie has been copied. */
export function stagePage(isSignedIn: boolean): Html {
  return html`<header class="page-header">
      <h1>Steal this cookie</h1>
      <p>
        Malware, a borrowed laptop, a log file: a cookie gets copied, and whoever has the copy is you. Try it
        on yourself. This server plays the thief, with an HTTP client of its own and real requests.
      </p>
    </header>
    ${
      isSignedIn
        ? html`<form method="post" action="/theft">
            <button class="button danger">Steal this cookie</button>
          </form>`
        : html`<p><a class="button primary" href="/sign-in?returnTo=/theft">Sign in first</a></p>`
    }`;
}
