import type { ActiveSession } from 'nest-sessions';
import { address } from '../devices/address.js';
import { deviceName } from '../devices/device-name.js';
import { type Html, html } from '../html/html.js';
import { deviceIcon } from '../html/icons.js';
import { time } from '../html/time.js';

export function onlineRow(session: ActiveSession, isOwn: boolean): Html {
  const { id, userId, meta, createdAt, authenticatedAt, lastActiveAt } = session;
  const who = userId ?? 'Not signed in';
  return html`<tr role="row">
    <th role="rowheader" scope="row" class="user ${userId === null && 'muted'}">
      ${who} ${isOwn && html`<span class="badge">You</span>`}
    </th>
    <td role="cell" data-label="Device">
      <span class="device-of">${deviceIcon(meta.deviceType)} ${deviceName(meta)}</span>
    </td>
    <td role="cell" data-label="Address">${address(meta.ip)}</td>
    <td role="cell" data-label="Since">${time(authenticatedAt ?? createdAt)}</td>
    <td role="cell" data-label="Last active">${time(lastActiveAt)}</td>
    <td role="cell" class="row-action">
      ${
        !isOwn &&
        html`<form method="post" action="/online/${id}/sign-out">
          <button class="button">End<span class="visually-hidden"> the session of ${who}</span></button>
        </form>`
      }
    </td>
  </tr>`;
}
