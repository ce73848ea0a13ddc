import { Body, Controller, Get, HttpStatus, NotFoundException, Post, Redirect } from '@nestjs/common';
import { RequireAuth, Session } from 'nest-sessions';
import { page } from '../html/page.js';
import { countItems, countOf, linesOf, oneLess, oneMore } from './cart.js';
import { cartPage } from './cart.page.js';
import { findProduct, type Product } from './products.js';

/** What the cart's forms send. Anything may arrive. */
interface CartForm {
  readonly product?: unknown;
}

/**
 * The cart works before sign-in, and comes along at sign-in. Each form leads back to the button that was pressed, so that
 * the focus stays where it was, and the page about where it was scrolled to, without a script.
 */
@Controller('cart')
export class CartController {
  @Get()
  show(@Session() session: Session): string {
    const main = cartPage({ cart: session.data.cart, isSignedIn: session.isAuthenticated });
    return page({ title: 'Your cart', here: 'cart', session, main });
  }

  @Post('add')
  @Redirect('/cart', HttpStatus.SEE_OTHER)
  async add(@Body() form: CartForm, @Session() session: Session): Promise<{ url: string }> {
    const { id } = productOf(form);
    await putOneMore(session, id);
    return { url: `/cart#add-${id}` };
  }

  @Post('more')
  @Redirect('/cart', HttpStatus.SEE_OTHER)
  async more(@Body() form: CartForm, @Session() session: Session): Promise<{ url: string }> {
    const { id } = productOf(form);
    await putOneMore(session, id);
    return { url: `/cart#more-${id}` };
  }

  @Post('less')
  @Redirect('/cart', HttpStatus.SEE_OTHER)
  async less(@Body() form: CartForm, @Session() session: Session): Promise<{ url: string }> {
    const { id } = productOf(form);
    const left = await session.update((data) => {
      data.cart = oneLess(data.cart, id);
      return countOf(data.cart, id);
    });
    return { url: left > 0 ? `/cart#less-${id}` : '/cart#cart-title' }; // with its line, the button is gone
  }

  /** An app with a shop would store an order here. Of two clicks at once, one gets the cart: nothing is ordered twice. */
  @Post('order')
  @RequireAuth()
  @Redirect('/cart', HttpStatus.SEE_OTHER)
  async order(@Session() session: Session): Promise<void> {
    const cart = await session.takeOnce('cart');
    if (countItems(cart) === 0) return session.flash('notice', 'Your cart is empty.');
    const lines = linesOf(cart).map(({ product, count }) => `${count} × ${product.name}`);
    session.flash('success', `Ordered, once: ${lines.join(', ')}.`);
  }
}

/** `update` reads and writes as one step: two clicks in two tabs both count. */
function putOneMore(session: Session, id: string): Promise<void> {
  return session.update((data) => {
    data.cart = oneMore(data.cart, id);
  });
}

function productOf(form: CartForm | undefined): Product {
  const product = findProduct(form?.product);
  if (product === null) throw new NotFoundException('There is no such product');
  return product;
}
