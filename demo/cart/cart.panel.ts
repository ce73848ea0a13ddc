import { type Html, html } from '../html/html.js';
import { type Cart, type CartLine, linesOf, totalOf } from './cart.js';
import { price } from './products.js';

export interface CartPanelInput {
  readonly cart?: Cart;
  readonly isSignedIn: boolean;
}

export function cartPanel({ cart, isSignedIn }: CartPanelInput): Html {
  const lines = linesOf(cart);
  return html`<section class="card panel cart" aria-labelledby="cart-title">
    <h2 id="cart-title" tabindex="-1">Your cart</h2>
    ${
      lines.length === 0
        ? html`<p class="muted">Nothing here yet.</p>`
        : html`<ul class="lines">
              ${lines.map(line)}
            </ul>
            <p class="total"><span>Total</span> <strong>${price(totalOf(cart))}</strong></p>
            ${isSignedIn ? orderForm : signInLink}`
    }
  </section>`;
}

const orderForm = html`<form method="post" action="/cart/order">
  <button class="button primary wide">Place order</button>
</form>`;

const signInLink = html`<a class="button primary wide" href="/sign-in?returnTo=/cart">Sign in to order</a>
  <p class="muted">Your cart comes along.</p>`;

function line({ product: { id, name, price: cents }, count }: CartLine): Html {
  return html`<li class="line">
    <span class="line-name">${name}</span>
    <form class="stepper" method="post">
      <input type="hidden" name="product" value="${id}" />
      <button class="button step" id="less-${id}" formaction="/cart/less">
        <span aria-hidden="true">−</span>
        <span class="visually-hidden">${count === 1 ? `Remove ${name}` : `One less ${name}`}</span>
      </button>
      <span class="line-count">${count}</span>
      <button class="button step" id="more-${id}" formaction="/cart/more">
        <span aria-hidden="true">+</span>
        <span class="visually-hidden">One more ${name}</span>
      </button>
    </form>
    <span class="price">${price(cents * count)}</span>
  </li>`;
}
