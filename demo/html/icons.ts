import { html, type Html } from './html.js';

/** The mark of the demo: a session under lock. */
export const lockIcon = icon(html`<path d="M6 10.5h12v9H6zM8.5 10.5V8a3.5 3.5 0 0 1 7 0v2.5M12 14v2.5" />`);

const laptopIcon = icon(html`<path d="M5 5.5h14v10H5zM2.5 18.5h19" />`);
const phoneIcon = icon(html`<path d="M7.5 3h9v18h-9zM11 18h2" />`);
const tabletIcon = icon(html`<path d="M5 3.5h14v17H5zM11 17.5h2" />`);

/** Somebody who has what is not theirs. */
export const thiefIcon = icon(
  html`<path d="M4 9h16c0 5-2 7-4.5 7S12.5 13.5 12 12c-.5 1.5-1 4-3.5 4S4 14 4 9zM7.5 11.5h2M14.5 11.5h2" />`,
);

/** An icon for `meta.deviceType`. */
export function deviceIcon(type: unknown): Html {
  if (type === 'mobile') return phoneIcon;
  return type === 'tablet' ? tabletIcon : laptopIcon;
}

function icon(drawing: Html): Html {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${drawing}</svg>`;
}
