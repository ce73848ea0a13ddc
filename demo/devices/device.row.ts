import type { SessionInfo } from 'nest-sessions';
import { type Html, html } from '../html/html.js';
import { deviceIcon } from '../html/icons.js';
import { time } from '../html/time.js';
import { address } from './address.js';
import { deviceName } from './device-name.js';

/** @param isAsking whether the device of the session is asking, so that it is in use, which is written down behind this response */
export function deviceRow(device: SessionInfo, isAsking: boolean): Html {
  const { current, meta, createdAt, authenticatedAt, lastActiveAt, expiresAt } = device;
  const name = deviceName(meta);
  const lastUse = current && isAsking ? new Date() : lastActiveAt;
  return html`<tr role="row" id="device-${device.id}" data-name="${name}">
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
        <button class="button" id="sign-out-${device.id}">
          Sign out<span class="visually-hidden"> ${name}</span>
        </button>
      </form>
    </td>
  </tr>`;
}
