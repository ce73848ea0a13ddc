import type { Cart } from './shop/cart.js';

/** What this app keeps in a session. Declared once, `session.data` and `session.get()` are typed everywhere. */
declare module 'nest-sessions' {
  interface SessionData {
    cart?: Cart;
  }
}
