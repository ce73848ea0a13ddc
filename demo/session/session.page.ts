import type { Session, SessionRow } from 'nest-sessions';
import { type Html, html } from '../html/html.js';
import { handlerPanel } from './handler.panel.js';
import { MAX_MEMO_LENGTH } from './memo.js';
import { rowPanel } from './row.panel.js';
import { type TokenPanelInput, tokenPanel } from './token.panel.js';

export interface SessionPageInput {
  readonly session: Session;
  readonly row: SessionRow | null;
  readonly storage: string;
  /** `null` while there is no token. */
  readonly token: TokenPanelInput | null;
}

export function sessionPage({ session, row, storage, token }: SessionPageInput): Html {
  return html`<header class="page-header">
      <h1>Your session</h1>
      ${lead(session)}
    </header>
    <form class="card memo" method="post" action="/session/memo">
      <label for="memo">Write something into it</label>
      <input
        id="memo"
        name="memo"
        value="${session.data.memo}"
        maxlength="${MAX_MEMO_LENGTH}"
        autocomplete="off"
      />
      <button class="button primary">Save</button>
    </form>
    <div class="views">${handlerPanel(session)} ${rowPanel({ row, storage })}</div>
    ${token && tokenPanel(token)}`;
}

function lead({ userId, isNew }: Session): Html {
  if (userId !== null) return html`<p>One session of <strong>${userId}</strong>, seen from both sides.</p>`;
  if (isNew)
    return html`<p>
      Nothing is kept for you yet: no row, no cookie. Write something, or <a href="/sign-in">sign in</a>.
    </p>`;
  return html`<p>
    Nobody is signed in to it yet. What is in it comes along when you <a href="/sign-in">sign in</a>.
  </p>`;
}
