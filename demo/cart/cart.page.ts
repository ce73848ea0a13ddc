import { type Html, html } from '../html/html.js';
import { type Cart, countOf } from './cart.js';
import { cartPanel } from './cart.panel.js';
import { type Product, price, PRODUCTS } from './products.js';

export interface CartPageInput {
  readonly cart?: Cart;
  readonly isSignedIn: boolean;
}

export function cartPage({ cart, isSignedIn }: CartPageInput): Html {
  return html`<header class="page-header">
      <h1>A cart in your session</h1>
      <p>It works before sign-in and comes along. Of two windows that add at once, both count.</p>
    </header>
    <div class="columns">
      ${cartPanel({ cart, isSignedIn })}
      <section aria-labelledby="products-title">
        <h2 id="products-title" class="visually-hidden">Products</h2>
        <ul class="products">
          ${PRODUCTS.map((product) => productCard(product, countOf(cart, product.id)))}
        </ul>
      </section>
    </div>`;
}

/** The button has an address: the page that follows a click on it begins there, with the focus where it was. */
function productCard({ id, name, note, price: cents }: Product, count: number): Html {
  return html`<li class="card product">
    <h3>${name}</h3>
    <p class="muted">${note}</p>
    <form class="product-buy" method="post" action="/cart/add">
      <strong class="price">${price(cents)}</strong>
      <span class="product-count" id="count-${id}">${count > 0 && `${count} in cart`}</span>
      <button class="button" id="add-${id}" name="product" value="${id}" aria-describedby="count-${id}">
        Add<span class="visually-hidden"> ${name}</span> to cart
      </button>
    </form>
  </li>`;
}
