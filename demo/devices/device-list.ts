import type { SessionInfo } from 'nest-sessions';
import { type Html, html } from '../html/html.js';
import type { ActivityEntry } from './activity.js';
import { activityPanel } from './activity.panel.js';
import { deviceRow } from './device.row.js';
import { limitPanel } from './limit.panel.js';

export interface DeviceListInput {
  /** In the order of the page. */
  readonly devices: readonly SessionInfo[];
  /** How many a user may have at once. */
  readonly places: number;
  readonly activity: readonly ActivityEntry[];
  /** `false`: the page is open, and nobody has asked for it anew. */
  readonly isAsking: boolean;
}

/** What of the page changes while it is open. `public/live.js` puts a newer one in its place. */
export function deviceList({ devices, places, activity, isAsking }: DeviceListInput): Html {
  return html`<div id="device-list">
    <section class="card flush" aria-label="Devices">
      ${limitPanel({ taken: devices.length, places })} ${table(devices, isAsking)}
      <div class="actions">
        ${devices.length > 1 && button('sign-out-others', 'Sign out the other devices')}
        ${button('sign-out-everywhere', 'Sign out everywhere', 'danger')}
      </div>
    </section>
    ${activityPanel(activity)}
  </div>`;
}

/** The roles are what a table has anyway; some browsers forget them when a style makes cards of the rows. */
function table(devices: readonly SessionInfo[], isAsking: boolean): Html {
  return html`<table class="rows" role="table">
    <thead role="rowgroup">
      <tr role="row">
        <th role="columnheader" scope="col">Device</th>
        <th role="columnheader" scope="col">Address</th>
        <th role="columnheader" scope="col">Signed in</th>
        <th role="columnheader" scope="col">Last active</th>
        <th role="columnheader" scope="col">Expires</th>
        <th role="columnheader" scope="col"><span class="visually-hidden">Action</span></th>
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${devices.map((device) => deviceRow(device, isAsking))}
    </tbody>
  </table>`;
}

function button(name: string, label: string, look = ''): Html {
  return html`<form method="post" action="/devices/${name}">
    <button class="button ${look}" id="${name}">${label}</button>
  </form>`;
}
