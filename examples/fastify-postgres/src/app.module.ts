import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { TerminusModule } from '@nestjs/terminus';
import { TypeOrmModule } from '@nestjs/typeorm';
import { SessionModule } from 'nest-sessions';
import { AccountController } from './account.controller.js';
import { CartController } from './cart.controller.js';
import { HealthController } from './health.controller.js';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true }), // reads .env
    TypeOrmModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({
        type: 'postgres',
        url: config.getOrThrow<string>('DATABASE_URL'),
        autoLoadEntities: true,
      }),
    }),
    SessionModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({
        key: config.getOrThrow<string>('SESSION_KEY'),
        ttl: '8h',
        maxPerUser: 3,
        requireAuth: true, // every route needs a user, except those with @Public()
      }),
    }),
    TerminusModule,
  ],
  controllers: [AccountController, CartController, HealthController],
})
export class AppModule {}
