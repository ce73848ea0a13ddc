import { type Html, html } from '../html/html.js';
import { deviceIcon, thiefIcon } from '../html/icons.js';
import { clockTime } from '../html/time.js';
import type { Theft, TheftEntry, Worth } from './theft.js';

/** Who holds a token of the session, and what it is worth. */
export interface Holder {
  /** Which token of the session it is. */
  readonly number: number;
  readonly worth: Worth;
}

export interface TheftPageInput {
  readonly theft: Theft;
  /** `null`: without a token of that session. */
  readonly you: Holder | null;
  readonly thief: Holder | null;
  /** Milliseconds for which the token before the current one is served. */
  readonly graceLeft: number;
}

export function theftPage(input: TheftPageInput): Html {
  const { theft, you, thief, graceLeft } = input;
  const isOver = !isAlive(you) && !isAlive(thief);
  const seconds = Math.ceil(graceLeft / 1000);
  return html`<header class="page-header">
      <h1>Two clients, one cookie</h1>
    </header>
    ${isOver ? outcome(theft) : html`<p class="next-step">${nextStep(input, seconds)}</p>`}
    <div class="parties">
      ${party('You', deviceIcon('desktop'), theft.userId, you, seconds, yourMoves(theft, isOver))}
      ${party('The thief', thiefIcon, theft.userId, thief, seconds, thiefsMoves(theft, isOver))}
    </div>
    <section class="card panel" aria-labelledby="log-title">
      <h2 id="log-title">What happened</h2>
      ${
        theft.entries.length === 0
          ? html`<p class="muted">Nothing yet: nobody can tell.</p>`
          : html`<ol class="log">
              ${theft.entries.map(logLine)}
            </ol>`
      }
    </section>`;
}

function isAlive(holder: Holder | null): boolean {
  return holder !== null && holder.worth !== 'worthless';
}

function nextStep({ you, thief }: TheftPageInput, seconds: number): string {
  const replaced = [you, thief].find((one) => one?.worth === 'in-grace' || one?.worth === 'replaced');
  if (!replaced)
    return 'To the server the thief is you. Let the thief call. Then take a new token, as this app does by itself once a minute.';
  const who = replaced === you ? 'You hold' : 'The thief holds';
  const next = replaced === you ? 'then open this page again.' : 'then let the thief call.';
  return replaced.worth === 'in-grace'
    ? `${who} a replaced token, which is served for ${seconds} s more: requests may be under way with it. Wait that long, ${next}`
    : `${who} a replaced token, and its time is over. Its next use is the alarm: ${next.replace('then ', '')}`;
}

function outcome({ entries }: Theft): Html {
  const alarm = entries.find(({ what }) => what.startsWith('reuse'));
  return html`<section class="outcome" aria-labelledby="outcome-title">
    <h2 id="outcome-title">${alarm ? html`Found out at ${clockTime(alarm.at)}` : 'The session has ended'}</h2>
    <p>
      ${
        alarm
          ? 'A token came back that had been replaced, so two hold one cookie. Nobody can say which of them is the owner: the session is revoked for both, and the owner signs in again.'
          : 'Both copies of the cookie are worthless.'
      }
    </p>
    <p class="actions">
      <a class="button primary" href="/sign-in?returnTo=/theft">Sign in again</a>
    </p>
  </section>`;
}

function party(
  name: string,
  icon: Html,
  userId: string,
  holder: Holder | null,
  seconds: number,
  moves: Html | false,
): Html {
  const alive = holder !== null && isAlive(holder);
  return html`<section class="card panel party ${!alive && 'is-out'}" aria-label="${name}">
    <h2>${icon} ${name}</h2>
    <p class="party-who">${alive ? html`Signed in as <strong>${userId}</strong>` : 'Signed out'}</p>
    <p class="token">
      ${
        holder
          ? html`<span class="token-part token-number">${holder.number}<small>token</small></span>
              ${badge(holder.worth, seconds)}`
          : html`<span class="muted">No token of this session</span>`
      }
    </p>
    ${moves}
  </section>`;
}

function badge(worth: Worth, seconds: number): Html {
  const [look, text] = {
    current: ['ok', 'current'],
    'in-grace': ['notice', `replaced, served for ${seconds} s more`],
    replaced: ['danger', 'replaced'],
    worthless: ['danger', 'worthless'],
  }[worth];
  return html`<span class="badge ${look}">${text}</span>`;
}

function yourMoves({ id }: Theft, isOver: boolean): Html | false {
  return (
    !isOver &&
    html`<div class="actions">
      <form method="post" action="/session/rotate">
        <button class="button" name="returnTo" id="rotate" value="/theft/${id}#rotate">
          Take a new token
        </button>
      </form>
      <a class="button" href="/theft/${id}">Open this page again</a>
    </div>`
  );
}

function thiefsMoves({ id }: Theft, isOver: boolean): Html | false {
  return (
    !isOver &&
    html`<form class="actions" method="post">
      <button class="button" id="call" formaction="/theft/${id}/call">Let the thief call</button>
      <button class="button" id="take" formaction="/theft/${id}/rotate">
        Let the thief take a new token
      </button>
    </form>`
  );
}

function logLine({ at, who, what, look }: TheftEntry): Html {
  return html`<li class="log-${look}">
    ${clockTime(at)} <span class="log-who">${who}</span> <code>${what}</code>
  </li>`;
}
