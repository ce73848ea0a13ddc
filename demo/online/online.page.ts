import type { ActiveSession } from 'nest-sessions';
import { type Html, html } from '../html/html.js';
import { type Activeness, ACTIVENESS } from './activeness.js';
import { onlineRow } from './online.row.js';

export interface OnlinePageInput {
  readonly sessions: readonly ActiveSession[];
  readonly activeness: Activeness;
  /** The id of the session that looks. */
  readonly ownId: string | null;
  /** Where the next page begins; `null`: this is the last one. */
  readonly next: string | null;
  /** Whether this is the first page. */
  readonly isFirst: boolean;
}

export function onlinePage({ sessions, activeness, ownId, next, isFirst }: OnlinePageInput): Html {
  return html`<header class="page-header">
      <h1>Who is online</h1>
      <p>The sessions of everybody, signed in or not. Never a token, and never what is in them.</p>
    </header>
    <nav class="choices" aria-label="Active within">
      ${Object.entries(ACTIVENESS).map(
        ([name, { label }]) =>
          html`<a
            class="button"
            href="/online?within=${name}"
            ${name === activeness && html`aria-current="true"`}
            >${label}</a
          >`,
      )}
    </nav>
    <section class="card flush" aria-label="Sessions">
      ${
        sessions.length === 0
          ? html`<p class="panel muted">Nobody ${isFirst ? '' : 'else '}is.</p>`
          : table(sessions, ownId)
      }
      ${(next !== null || !isFirst) && pages(activeness, next, isFirst)}
    </section>`;
}

/** The roles are what a table has anyway; some browsers forget them when a style makes cards of the rows. */
function table(sessions: readonly ActiveSession[], ownId: string | null): Html {
  return html`<table class="rows" role="table">
    <thead role="rowgroup">
      <tr role="row">
        <th role="columnheader" scope="col">Who</th>
        <th role="columnheader" scope="col">Device</th>
        <th role="columnheader" scope="col">Address</th>
        <th role="columnheader" scope="col">Since</th>
        <th role="columnheader" scope="col">Last active</th>
        <th role="columnheader" scope="col"><span class="visually-hidden">Action</span></th>
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${sessions.map((session) => onlineRow(session, session.id === ownId))}
    </tbody>
  </table>`;
}

function pages(within: Activeness, next: string | null, isFirst: boolean): Html {
  return html`<p class="actions">
    ${!isFirst && html`<a class="button" href="/online?within=${within}">First page</a>`}
    ${next !== null && html`<a class="button" href="/online?within=${within}&after=${next}">Next page</a>`}
  </p>`;
}
