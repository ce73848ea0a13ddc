import type { Cart } from './cart/cart.js';

/** What this app keeps in a session. Declared once, `session.data` and `session.get()` are typed everywhere. */
declare module 'nest-sessions' {
  interface SessionData {
    cart?: Cart;
    /** What somebody wrote on the page of their session. */
    memo?: string;
    role?: 'administrator';
  }
}
