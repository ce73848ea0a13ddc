import type { SessionInfo } from 'nest-sessions';
import { type Html, html } from '../html/html.js';
import type { ActivityEntry } from './activity.js';
import { activityPanel } from './activity.panel.js';
import { deviceRow } from './device.row.js';
import { limitPanel } from './limit.panel.js';

export interface DevicesPageInput {
  readonly userId: string;
  /** In the order of the page. */
  readonly devices: readonly SessionInfo[];
  /** How many a user may have at once. */
  readonly places: number;
  readonly activity: readonly ActivityEntry[];
}

export function devicesPage({ userId, devices, places, activity }: DevicesPageInput): Html {
  return html`<header class="page-header">
      <h1>Your devices</h1>
      <p>Where <strong>${userId}</strong> is signed in. If you do not recognise a device, sign it out.</p>
    </header>
    <section class="card flush" aria-label="Devices">
      ${limitPanel({ taken: devices.length, places })} ${table(devices)}
      <div class="actions">
        ${devices.length > 1 && button('/devices/sign-out-others', 'Sign out the other devices')}
        ${button('/devices/sign-out-everywhere', 'Sign out everywhere', 'danger')}
      </div>
    </section>
    ${activityPanel(activity)}`;
}

/** The roles are what a table has anyway; some browsers forget them when a style makes cards of the rows. */
function table(devices: readonly SessionInfo[]): Html {
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
      ${devices.map(deviceRow)}
    </tbody>
  </table>`;
}

function button(action: string, label: string, look = ''): Html {
  return html`<form method="post" action="${action}"><button class="button ${look}">${label}</button></form>`;
}
