import { type Html, html } from '../html/html.js';
import { deviceList, type DeviceListInput } from './device-list.js';

export interface DevicesPageInput extends DeviceListInput {
  readonly userId: string;
}

export function devicesPage({ userId, ...list }: DevicesPageInput): Html {
  return html`<header class="page-header">
      <h1>Your devices</h1>
      <p>Where <strong>${userId}</strong> is signed in. If you do not recognise a device, sign it out.</p>
    </header>
    ${deviceList(list)}`;
}
