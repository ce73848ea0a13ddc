import { BadRequestException, Body, Controller, Get, Post } from '@nestjs/common';
import { Session } from 'nest-sessions';

declare module 'nest-sessions' {
  interface SessionData {
    cart?: { sku: string; count: number }[];
  }
}

@Controller('cart')
export class CartController {
  @Get()
  list(@Session() session: Session) {
    return session.data.cart ?? [];
  }

  /** `update` is atomic: of two requests at once, neither loses the other's item. */
  @Post()
  async add(@Body() body: { sku?: unknown }, @Session() session: Session) {
    const { sku } = body;
    if (typeof sku !== 'string' || sku === '') throw new BadRequestException();
    return { items: await session.update((data) => (data.cart ??= []).push({ sku, count: 1 })) };
  }
}
