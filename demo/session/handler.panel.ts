import type { Session } from 'nest-sessions';
import { type Html, html } from '../html/html.js';

/** The session as code of the app has it, in plain text. */
export function handlerPanel(session: Session): Html {
  const { data, userId, meta, id, authenticatedAt, lastActiveAt, expiresAt } = session;
  const members = { data, userId, meta, id, authenticatedAt, lastActiveAt, expiresAt };
  return html`<section class="card view" aria-labelledby="handler-title">
    <h2 id="handler-title">What a handler sees</h2>
    <dl class="members">
      ${Object.entries(members).map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${literal(value)}</dd>
          </div>`,
      )}
    </dl>
  </section>`;
}

function literal(value: unknown): Html {
  const isEmpty = value === null || JSON.stringify(value) === '{}';
  const text = value instanceof Date ? value.toISOString() : JSON.stringify(value, null, 2);
  return html`<pre class="${isEmpty && 'code-quiet'}">${text}</pre>`;
}
