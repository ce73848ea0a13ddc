import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { SessionModule } from 'nest-sessions';
import { AccountController } from './account.controller.js';
import { FRONT_END } from './settings.js';

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'sqlite', database: 'app.sqlite', autoLoadEntities: true }),
    SessionModule.forRoot({
      key: process.env.SESSION_KEY,
      csrf: { origins: [FRONT_END] }, // its pages may change sessions; those of nobody else
    }),
  ],
  controllers: [AccountController],
})
export class AppModule {}
