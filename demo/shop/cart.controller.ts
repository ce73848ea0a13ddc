import { Body, Controller, HttpStatus, NotFoundException, Post, Redirect } from '@nestjs/common';
import { Session } from 'nest-sessions';
import { oneLess, oneMore } from './cart.js';
import { findProduct, type Product } from './products.js';

/** What the cart's forms send. Anything may arrive. */
interface CartForm {
  readonly product?: unknown;
}

/** The cart works before sign-in, and comes along at sign-in. */
@Controller('cart')
export class CartController {
  @Post('add')
  @Redirect('/', HttpStatus.SEE_OTHER)
  async add(@Body() form: CartForm, @Session() session: Session): Promise<void> {
    const product = productOf(form);
    await putOneMore(session, product);
    session.flash('success', `${product.name} is in your cart.`);
  }

  @Post('more')
  @Redirect('/#cart', HttpStatus.SEE_OTHER)
  async more(@Body() form: CartForm, @Session() session: Session): Promise<void> {
    await putOneMore(session, productOf(form));
  }

  @Post('less')
  @Redirect('/#cart', HttpStatus.SEE_OTHER)
  async less(@Body() form: CartForm, @Session() session: Session): Promise<void> {
    const product = productOf(form);
    await session.update((data) => {
      data.cart = oneLess(data.cart, product.id);
    });
  }
}

/** `update` reads and writes as one step: two clicks in two tabs both count. */
function putOneMore(session: Session, { id }: Product): Promise<void> {
  return session.update((data) => {
    data.cart = oneMore(data.cart, id);
  });
}

function productOf(form: CartForm | undefined): Product {
  const product = findProduct(form?.product);
  if (product === null) throw new NotFoundException('There is no such product');
  return product;
}
