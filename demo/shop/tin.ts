import { type Html, html } from '../html/html.js';

/** A drawing of a tea tin. The stylesheet gives each product its colour. */
export function tin(productId: string): Html {
  return html`<svg class="tin tin-${productId}" viewBox="0 0 120 120" aria-hidden="true">
    <rect class="tin-body" x="30" y="24" width="60" height="92" rx="8" />
    <rect class="tin-lid" x="26" y="8" width="68" height="22" rx="6" />
    <rect class="tin-label" x="39" y="48" width="42" height="46" rx="4" />
    <path class="tin-leaf" d="M48 86c0-15 8-24 25-24 0 17-8 25-22 23M48 86c5-10 10-13 17-17" />
  </svg>`;
}
