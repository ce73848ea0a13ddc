import { type Html, html } from '../html/html.js';

export interface LimitPanelInput {
  readonly taken: number;
  readonly places: number;
}

/** How many devices there are, and how many there may be. */
export function limitPanel({ taken, places }: LimitPanelInput): Html {
  const isFull = taken >= places;
  return html`<div class="limit">
    <p class="places">
      ${Array.from({ length: places }, (_, place) => html`<span class="place ${place < taken && 'taken'}"></span>`)}
      <span><strong>${taken}</strong> of ${places} devices</span>
    </p>
    <form method="post" action="/devices/add" class="limit-add">
      <button class="button primary" id="add">Sign in on another device</button>
      <p class="muted">
        ${
          isFull
            ? 'The least recently active one makes room.'
            : 'This server plays it, with requests of its own.'
        }
      </p>
    </form>
  </div>`;
}
