import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { SessionModule } from 'nest-sessions';
import { AccountController } from './account.controller.js';
import { DevicesController } from './devices.controller.js';

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'sqlite', database: 'app.sqlite', autoLoadEntities: true }),
    SessionModule.forRoot({ key: process.env.SESSION_KEY }),
  ],
  controllers: [AccountController, DevicesController],
})
export class AppModule {}
