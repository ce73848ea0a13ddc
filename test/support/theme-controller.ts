import { Body, Controller, Get, Post } from '@nestjs/common';
import { Session } from 'nest-sessions';

declare module 'nest-sessions' {
  interface SessionData {
    theme?: string;
  }
}

/** Signs in, keeps a theme and gives it back. */
@Controller()
export class ThemeController {
  @Post('login')
  async login(@Body() body: { user: string }, @Session() session: Session): Promise<void> {
    await session.authenticate(body.user);
  }

  @Post('theme')
  choose(@Body() body: { theme: string }, @Session() session: Session): void {
    session.data.theme = body.theme;
  }

  @Get('theme')
  show(@Session() session: Session): { theme: string | null; userId: string | null } {
    return { theme: session.data.theme ?? null, userId: session.userId };
  }
}
