import { BadRequestException, Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { RequireAuth, Session, UserId } from 'nest-sessions';

declare module 'nest-sessions' {
  interface SessionData {
    clicks?: number;
  }
}

@Controller()
export class AccountController {
  @Post('login')
  async login(@Body() body: { name?: unknown }, @Session() session: Session) {
    // Your app checks a password here; the example on Passport does.
    if (typeof body.name !== 'string' || body.name === '') throw new BadRequestException();
    await session.authenticate(body.name);
    return { userId: session.userId };
  }

  @Post('logout')
  @HttpCode(204)
  async logout(@Session() session: Session) {
    await session.logout();
  }

  @Get('me')
  @RequireAuth()
  me(@UserId() userId: string, @Session() session: Session) {
    return { userId, clicks: session.data.clicks ?? 0 };
  }

  @Post('clicks')
  @RequireAuth()
  async click(@Session() session: Session) {
    return { clicks: await session.update((data) => (data.clicks = (data.clicks ?? 0) + 1)) };
  }
}
