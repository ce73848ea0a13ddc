import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { TypeOrmModule } from '@nestjs/typeorm';
import { SessionModule } from 'nest-sessions';
import { join } from 'node:path';
import { AccountController } from './account/account.controller.js';
import { ConfirmController } from './account/confirm.controller.js';
import { Activity } from './devices/activity.js';
import { DevicesController } from './devices/devices.controller.js';
import { PageErrorFilter } from './errors/page-error.filter.js';
import { HealthController } from './health/health.controller.js';
import { keyFrom } from './session-key.js';
import { DATA_FOLDER } from './settings.js';
import { CartController } from './shop/cart.controller.js';
import { Order } from './shop/order.entity.js';
import { OrdersController } from './shop/orders.controller.js';
import { Orders } from './shop/orders.js';
import { ShopController } from './shop/shop.controller.js';

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'sqlite',
      database: join(DATA_FOLDER, 'app.sqlite'),
      autoLoadEntities: true,
      synchronize: true,
    }),
    TypeOrmModule.forFeature([Order]),
    SessionModule.forRoot({
      key: keyFrom(join(DATA_FOLDER, 'session.key')),
      maxPerUser: 5,
      // "Last active" is the point of one page here. The default, 5 minutes, writes less.
      touchInterval: '15s',
      // Plain http on localhost: a Secure cookie would not arrive everywhere. Behind https, leave this line out.
      cookie: { secure: false },
    }),
    TerminusModule,
  ],
  controllers: [
    ShopController,
    CartController,
    OrdersController,
    AccountController,
    ConfirmController,
    DevicesController,
    HealthController,
  ],
  providers: [Orders, Activity, { provide: APP_FILTER, useClass: PageErrorFilter }],
})
export class AppModule {}
