import { type Html, html } from '../html/html.js';
import { time } from '../html/time.js';
import { linesOf } from './cart.js';
import type { Order } from './order.entity.js';
import { price } from './products.js';

export function ordersPanel(orders: readonly Order[]): Html {
  return html`<section class="card panel" aria-labelledby="orders-title">
    <h2 id="orders-title">Your orders</h2>
    <ul class="entries">
      ${orders.map(entry)}
    </ul>
  </section>`;
}

function entry({ id, items, total, placedAt }: Order): Html {
  const teas = linesOf(items).map(({ product, count }) => `${count} × ${product.name}`);
  return html`<li>
    <p>Order ${id}: ${teas.join(', ')}</p>
    <p class="muted">${price(total)}, ${time(placedAt)}</p>
  </li>`;
}
