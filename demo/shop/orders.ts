import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { type Cart, totalOf } from './cart.js';
import { Order } from './order.entity.js';

@Injectable()
export class Orders {
  constructor(@InjectRepository(Order) private readonly orders: Repository<Order>) {}

  place(userId: string, items: Cart): Promise<Order> {
    return this.orders.save(this.orders.create({ userId, items, total: totalOf(items) }));
  }

  /** Newest first, at most three. */
  latestOf(userId: string): Promise<Order[]> {
    return this.orders.find({ where: { userId }, order: { id: 'DESC' }, take: 3 });
  }
}
