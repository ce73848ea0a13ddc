import { Controller, Get } from '@nestjs/common';
import { Session } from 'nest-sessions';
import { page } from '../html/page.js';
import { Orders } from './orders.js';
import { shopPage } from './shop.page.js';

@Controller()
export class ShopController {
  constructor(private readonly orders: Orders) {}

  @Get()
  async show(@Session() session: Session): Promise<string> {
    const { userId, data } = session;
    const orders = userId === null ? [] : await this.orders.latestOf(userId);
    const main = shopPage({ cart: data.cart, isSignedIn: userId !== null, orders });
    return page({ title: 'Shop', here: 'shop', session, main });
  }
}
