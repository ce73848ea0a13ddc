import type { FlashMessage, Session } from 'nest-sessions';
import { countItems } from '../cart/cart.js';
import { STORAGE } from '../storage.js';
import { type Html, html } from './html.js';
import { lockIcon } from './icons.js';

/** In the order in which they build on each other. */
const STYLES = ['base', 'layout', 'controls', 'tables', 'session', 'theft', 'cart'];

const LINKS = [
  { here: 'session', path: '/', label: 'Session' },
  { here: 'devices', path: '/devices', label: 'Devices' },
  { here: 'theft', path: '/theft', label: 'Theft' },
  { here: 'online', path: '/online', label: 'Online' },
  { here: 'cart', path: '/cart', label: 'Cart' },
] as const;

export interface PageInput {
  readonly title: string;
  readonly main: Html;
  /** `null` where there is none, or where nothing is to depend on it: then the page knows nobody. */
  readonly session: Session | null;
  /** Which link of the header leads here. */
  readonly here?: (typeof LINKS)[number]['here'] | 'sign-in';
  /** Seconds after which the page loads itself again. */
  readonly again?: number;
  /** The event stream that the page keeps open while somebody is signed in. @default '/live' */
  readonly stream?: string;
}

/** A whole page. Flash messages are shown here, and are gone from the session by that. */
export function page({ title, main, session, here, again, stream = '/live' }: PageInput): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        ${again !== undefined && html`<meta http-equiv="refresh" content="${again}" />`}
        <title>${title} · nest-sessions</title>
        <link rel="icon" href="/icon.svg" type="image/svg+xml" />
        ${STYLES.map((name) => html`<link rel="stylesheet" href="/styles/${name}.css" />`)}
        ${
          session?.isAuthenticated &&
          html`<script defer src="/live.js" data-stream="${stream}" data-user="${session.userId}"></script>`
        }
      </head>
      <body>
        <a class="skip-link" href="#main">Skip to content</a>
        ${header(session, here)}
        <main id="main" tabindex="-1">${session?.flashes().map(flash)} ${main}</main>
        <footer class="site-footer">
          <p>A demo of <strong>nest-sessions</strong>. Sessions are kept in ${STORAGE.name}.</p>
        </footer>
      </body>
    </html>`.toString();
}

function header(session: Session | null, here: PageInput['here']): Html {
  return html`<header class="site-header">
    <a class="brand" href="/">${lockIcon} nest-sessions</a>
    <nav aria-label="Main">${LINKS.map((link) => navigationLink(link, session, here))}</nav>
    ${session && account(session, here)}
  </header>`;
}

function navigationLink(
  link: (typeof LINKS)[number],
  session: Session | null,
  here: PageInput['here'],
): Html {
  const count = link.here === 'cart' ? countItems(session?.data.cart) : 0;
  return html`<a href="${link.path}" ${mark(link.here, here)}
    >${link.label}${
      count > 0 &&
      html` <span class="count"
        >${count}<span class="visually-hidden"> ${count === 1 ? 'item' : 'items'}</span></span
      >`
    }</a
  >`;
}

function account({ userId }: Session, here: PageInput['here']): Html {
  if (userId === null) return html`<a class="button" href="/sign-in" ${mark('sign-in', here)}>Sign in</a>`;
  return html`<form class="account" method="post" action="/sign-out">
    <span class="account-name"><span class="visually-hidden">Signed in as </span>${userId}</span>
    <button class="button">Sign out</button>
  </form>`;
}

function mark(link: PageInput['here'], here: PageInput['here']): Html | false {
  return link === here && html`aria-current="page"`;
}

function flash({ kind, text }: FlashMessage): Html {
  return html`<p class="flash flash-${kind}" role="status">${text}</p>`;
}
