import { html } from './html.js';

export const leafIcon = html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
  <path d="M5 19c0-9 5-14 15-14 0 10-5 15-13 14M5 19c3-6 6-8 10-10" />
</svg>`;

const laptopIcon = html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
  <path d="M5 5.5h14v10H5zM2.5 18.5h19" />
</svg>`;

const phoneIcon = html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
  <path d="M7.5 3h9v18h-9zM11 18h2" />
</svg>`;

const tabletIcon = html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
  <path d="M5 3.5h14v17H5zM11 17.5h2" />
</svg>`;

/** An icon for `meta.deviceType`. */
export function deviceIcon(type: unknown) {
  if (type === 'mobile') return phoneIcon;
  return type === 'tablet' ? tabletIcon : laptopIcon;
}
