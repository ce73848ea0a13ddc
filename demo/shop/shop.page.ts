import { type Html, html } from '../html/html.js';
import type { Cart } from './cart.js';
import { cartPanel } from './cart.panel.js';
import type { Order } from './order.entity.js';
import { ordersPanel } from './orders.panel.js';
import { type Product, price, PRODUCTS } from './products.js';
import { tin } from './tin.js';

export interface ShopPageInput {
  readonly cart?: Cart;
  readonly isSignedIn: boolean;
  readonly orders: readonly Order[];
}

export function shopPage({ cart, isSignedIn, orders }: ShopPageInput): Html {
  return html`<header class="page-header">
      <h1>Tea for an unhurried afternoon</h1>
      <p>Six teas from small gardens, 100 g each.</p>
    </header>
    <div class="columns">
      <section aria-label="Teas">
        <ul class="products">
          ${PRODUCTS.map(productCard)}
        </ul>
      </section>
      <div class="stack">${cartPanel({ cart, isSignedIn })} ${orders.length > 0 && ordersPanel(orders)}</div>
    </div>`;
}

function productCard({ id, name, note, price: cents }: Product): Html {
  return html`<li class="card product">
    ${tin(id)}
    <div class="product-text">
      <h2>${name}</h2>
      <p>${note}</p>
    </div>
    <form class="product-buy" method="post" action="/cart/add">
      <strong class="price">${price(cents)}</strong>
      <button class="button" name="product" value="${id}">
        Add<span class="visually-hidden"> ${name}</span> to cart
      </button>
    </form>
  </li>`;
}
