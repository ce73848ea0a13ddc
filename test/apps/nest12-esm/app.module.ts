import { Body, Controller, Get, Module, Post } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { RequireAuth, Session, SessionModule } from 'nest-sessions';

@Controller()
export class AccountController {
  @Post('login')
  login(@Body('name') name: string, @Session() session: Session) {
    return session.authenticate(name); // after you have checked the password
  }

  @Get('devices')
  @RequireAuth()
  devices(@Session() session: Session) {
    return session.list();
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'sqlite',
      database: process.env.DB ?? 'app.sqlite',
      autoLoadEntities: true,
    }),
    SessionModule.forRoot({ key: process.env.SESSION_KEY }),
  ],
  controllers: [AccountController],
})
export class AppModule {}
