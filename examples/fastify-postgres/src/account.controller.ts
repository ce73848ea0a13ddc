import { BadRequestException, Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { Public, Session, UserId } from 'nest-sessions';

@Controller()
export class AccountController {
  @Post('login')
  @HttpCode(204)
  @Public()
  async login(@Body() body: { name?: unknown }, @Session() session: Session) {
    // Your app checks a password here; the example on Passport does.
    if (typeof body.name !== 'string' || body.name === '') throw new BadRequestException();
    await session.authenticate(body.name);
  }

  @Get('devices')
  devices(@Session() session: Session) {
    return session.list();
  }

  @Post('logout-others')
  async logoutOthers(@Session() session: Session) {
    return { ended: await session.logoutOthers() };
  }

  @Get('me')
  me(@UserId() userId: string) {
    return { userId };
  }
}
