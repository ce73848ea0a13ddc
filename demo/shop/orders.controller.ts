import { Controller, HttpStatus, Post, Redirect } from '@nestjs/common';
import { RequireAuth, Session, UserId } from 'nest-sessions';
import { countItems } from './cart.js';
import { Orders } from './orders.js';

@Controller('orders')
@RequireAuth()
export class OrdersController {
  constructor(private readonly orders: Orders) {}

  @Post()
  @Redirect('/', HttpStatus.SEE_OTHER)
  async place(@Session() session: Session, @UserId() userId: string): Promise<void> {
    // Of two clicks at once, one gets the cart: nothing is ordered twice.
    const cart = await session.takeOnce('cart');
    if (cart === undefined || countItems(cart) === 0) return session.flash('notice', 'Your cart is empty.');
    try {
      const order = await this.orders.place(userId, cart);
      session.flash('success', `Thank you, ${userId}. Order ${order.id} is on its way.`);
    } catch (error) {
      session.set('cart', cart); // kept, although the request fails
      throw error;
    }
  }
}
