import { Module } from '@nestjs/common';
import { PassportModule } from '@nestjs/passport';
import { TypeOrmModule } from '@nestjs/typeorm';
import { SessionModule } from 'nest-sessions';
import { AccountController } from './account.controller.js';
import { LocalStrategy } from './sign-in/local.strategy.js';
import { ProviderStrategy } from './sign-in/provider.strategy.js';
import { SignInController } from './sign-in/sign-in.controller.js';
import { UserSerializer } from './sign-in/user.serializer.js';
import { User } from './users/user.entity.js';
import { Users } from './users/users.js';

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'sqlite',
      database: 'app.sqlite',
      autoLoadEntities: true,
      synchronize: true, // an example has no migrations
    }),
    TypeOrmModule.forFeature([User]),
    SessionModule.forRoot({ key: process.env.SESSION_KEY, mount: 'middleware' }),
    PassportModule.register({ session: true }),
  ],
  controllers: [AccountController, SignInController],
  providers: [Users, LocalStrategy, ProviderStrategy, UserSerializer],
})
export class AppModule {}
