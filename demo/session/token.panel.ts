import type { SessionRow } from 'nest-sessions';
import { type Html, html } from '../html/html.js';
import { clockTime } from '../html/time.js';
import { COOKIE_NAME, partsOf } from './cookie-token.js';

export interface TokenPanelInput {
  /** The token that the request came with. */
  readonly token: string;
  readonly row: SessionRow;
  /** When the session got its last tokens, newest first. */
  readonly rotations: readonly Date[];
  /** After how many milliseconds a token is replaced; `null`: never by itself. */
  readonly every: number | null;
  /** Whether the page loads itself again. */
  readonly isWatched: boolean;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** The token in the cookie, what the database holds of it, and how one follows the other. */
export function tokenPanel({ token, row, rotations, every, isWatched, now }: TokenPanelInput): Html {
  const { number, hash } = partsOf(token);
  const age = Math.max(0, Math.round((now - row.tokenIssuedAt) / 1000));
  return html`<section class="card panel" id="token" aria-labelledby="token-title">
    <div class="panel-head">
      <h2 id="token-title">The token</h2>
      <form method="post" action="/session/rotate">
        <button class="button" id="rotate">Rotate now</button>
      </form>
      <a class="button" id="watch" href="${isWatched ? '/#watch' : '/?watch#watch'}"
        >${isWatched ? 'Stop watching' : 'Watch it rotate'}</a
      >
    </div>
    <div class="flow">
      ${cookieBox(token)}
      <p class="flow-arrow"><span aria-hidden="true">→</span> SHA-256 <span aria-hidden="true">→</span></p>
      ${hashBox(row, hash, now)}
    </div>
    ${
      every !== null &&
      html`<p class="age">
        <label for="age">Token ${number} is ${age} s old. One follows at ${every / 1000} s</label>
        <progress id="age" max="${every / 1000}" value="${Math.min(age, every / 1000)}"></progress>
      </p>`
    }
    ${rotations.length > 0 && history(rotations, row.tokenGeneration)}
  </section>`;
}

function cookieBox(token: string): Html {
  const { sessionId, number } = partsOf(token);
  return html`<div class="box">
    <h3>In the cookie</h3>
    <p class="token">
      <span class="token-name">${COOKIE_NAME}</span>
      <span class="token-part">${sessionId}<small>id</small></span>
      <span class="token-part token-number">${number}<small>number</small></span>
      <span class="token-part">••••••••••••<small>secret</small></span>
      <span class="token-part">••••<small>signature</small></span>
    </p>
  </div>`;
}

function hashBox(
  { tokenHash, supersededHash, tokenGeneration, graceUntil }: SessionRow,
  hash: string,
  now: number,
): Html {
  const left = Math.ceil((graceUntil - now) / 1000);
  return html`<div class="box">
    <h3>In the database</h3>
    <ol class="hashes" reversed>
      ${hashLine(tokenGeneration + 1, tokenHash, hash, html`<span class="badge">current</span>`)}
      ${
        supersededHash !== null &&
        hashLine(
          tokenGeneration,
          supersededHash,
          hash,
          left > 0
            ? html`<span class="badge notice">replaced, served for ${left} s more</span>`
            : html`<span class="badge danger">replaced: who brings it is a thief</span>`,
        )
      }
    </ol>
  </div>`;
}

function hashLine(number: number, stored: string | null, presented: string, standing: Html): Html {
  return html`<li class="${stored === presented && 'yours'}">
    <span class="token-number">${number}</span> <code>${stored?.slice(0, 16)}…</code> ${standing}
    ${stored === presented && html`<span class="badge ok">yours</span>`}
  </li>`;
}

function history(rotations: readonly Date[], generation: number): Html {
  return html`<ol class="rotations" aria-label="Rotations, newest first">
    ${rotations.map(
      (at, index) =>
        html`<li>
          ${clockTime(at)} token ${generation - index}
          <span aria-hidden="true">→</span> ${generation + 1 - index}
        </li>`,
    )}
  </ol>`;
}
