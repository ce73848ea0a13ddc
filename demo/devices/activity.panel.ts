import { type Html, html } from '../html/html.js';
import { time } from '../html/time.js';
import type { ActivityEntry } from './activity.js';
import { address } from './address.js';

export function activityPanel(entries: readonly ActivityEntry[]): Html {
  return html`<section class="card panel" aria-labelledby="activity-title">
    <h2 id="activity-title">Recent activity</h2>
    ${
      entries.length === 0
        ? html`<p class="muted">Nothing since the server was started.</p>`
        : html`<ul class="entries">
            ${entries.map(entry)}
          </ul>`
    }
  </section>`;
}

function entry({ text, device, at, ip, times }: ActivityEntry): Html {
  return html`<li>
    <span>
      <strong>${device}</strong> ${text} ${times > 1 && html`<span class="badge quiet">${times} times</span>`}
    </span>
    <span class="muted">${ip !== undefined && `${address(ip)}, `}${time(at)}</span>
  </li>`;
}
