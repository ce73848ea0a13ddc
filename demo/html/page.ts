import type { FlashMessage, Session } from 'nest-sessions';
import { countItems } from '../shop/cart.js';
import { type Html, html } from './html.js';
import { leafIcon } from './icons.js';

/** In the order in which they build on each other. */
const STYLES = ['base', 'layout', 'controls', 'shop', 'devices'];

export interface PageInput {
  readonly title: string;
  readonly main: Html;
  /** `null` where there is none: a page that says what went wrong does not depend on it. */
  readonly session: Session | null;
  /** Which link of the header leads here. */
  readonly here?: 'shop' | 'devices' | 'sign-in';
}

/** A whole page. Flash messages are shown here, and are gone from the session by that. */
export function page({ title, main, session, here }: PageInput): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Larch Tea</title>
        <link rel="icon" href="/icon.svg" type="image/svg+xml" />
        ${STYLES.map((name) => html`<link rel="stylesheet" href="/styles/${name}.css" />`)}
      </head>
      <body>
        <a class="skip-link" href="#main">Skip to content</a>
        ${header(session, here)}
        <main id="main" tabindex="-1">${session?.flashes().map(flash)} ${main}</main>
        <footer class="site-footer">
          <p>
            A demo of <strong>nest-sessions</strong>. No tea is sold. Stop the server and start it again: you
            stay signed in.
          </p>
        </footer>
      </body>
    </html>`.toString();
}

function header(session: Session | null, here: PageInput['here']): Html {
  return html`<header class="site-header">
    <a class="brand" href="/">${leafIcon} Larch Tea</a>
    ${session && links(session, here)} ${session?.userId && account(session.userId)}
  </header>`;
}

function links({ data, isAuthenticated }: Session, here: PageInput['here']): Html {
  const count = countItems(data.cart);
  const mark = (name: PageInput['here']) => name === here && html`aria-current="page"`;
  return html`<nav aria-label="Main">
    <a href="/" ${mark('shop')}>Shop</a>
    <a href="/#cart">
      Cart
      <span class="count"
        >${count}<span class="visually-hidden"> ${count === 1 ? 'item' : 'items'}</span></span
      >
    </a>
    ${
      isAuthenticated
        ? html`<a href="/devices" ${mark('devices')}>Your devices</a>`
        : html`<a href="/sign-in" ${mark('sign-in')}>Sign in</a>`
    }
  </nav>`;
}

function account(name: string): Html {
  return html`<form class="account" method="post" action="/log-out">
    <span class="account-name"><span class="visually-hidden">Signed in as </span>${name}</span>
    <button class="button quiet">Log out</button>
  </form>`;
}

function flash({ kind, text }: FlashMessage): Html {
  return html`<p class="flash flash-${kind}" role="status">${text}</p>`;
}
