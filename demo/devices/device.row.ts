import type { SessionInfo } from 'nest-sessions';
import { type Html, html } from '../html/html.js';
import { deviceIcon } from '../html/icons.js';
import { time } from '../html/time.js';
import { address } from './address.js';
import { deviceName } from './device-name.js';

export function deviceRow(device: SessionInfo): Html {
  const { current, meta, createdAt, authenticatedAt, lastActiveAt, expiresAt } = device;
  const name = deviceName(meta);
  const lastUse = current ? new Date() : lastActiveAt; // of this device, the use is written down behind this response
  return html`<tr role="row">
    <th role="rowheader" scope="row">
      <div class="device">
        ${deviceIcon(meta.deviceType)} ${name} ${current && html`<span class="badge">This device</span>`}
      </div>
    </th>
    <td role="cell" data-label="Address">${address(meta.ip)}</td>
    <td role="cell" data-label="Signed in">${time(authenticatedAt ?? createdAt)}</td>
    <td role="cell" data-label="Last active">${time(lastUse)}</td>
    <td role="cell" data-label="Expires">${time(expiresAt)}</td>
    <td role="cell" class="row-action">
      <form method="post" action="${current ? '/sign-out' : `/devices/${device.id}/sign-out`}">
        <button class="button">Sign out<span class="visually-hidden"> ${name}</span></button>
      </form>
    </td>
  </tr>`;
}
