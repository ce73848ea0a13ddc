import { BadRequestException, Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { RequireAuth, Session, UserId } from 'nest-sessions';

declare module 'nest-sessions' {
  interface SessionData {
    theme?: 'dark' | 'light';
  }
}

@Controller()
export class AccountController {
  @Post('login')
  @HttpCode(204)
  async login(@Body() body: { name?: unknown }, @Session() session: Session) {
    // Your app checks a password here; the example on Passport does.
    if (typeof body.name !== 'string' || body.name === '') throw new BadRequestException();
    await session.authenticate(body.name);
  }

  @Post('logout')
  @HttpCode(204)
  async logout(@Session() session: Session) {
    await session.logout();
  }

  @Get('me')
  @RequireAuth()
  me(@UserId() userId: string, @Session() session: Session) {
    return { userId, theme: session.data.theme ?? 'light' };
  }

  @Post('theme')
  @HttpCode(204)
  theme(@Body() body: { theme?: unknown }, @Session() session: Session) {
    session.data.theme = body.theme === 'dark' ? 'dark' : 'light'; // saved before the response leaves
  }
}
