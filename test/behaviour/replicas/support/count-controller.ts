import { Body, Controller, Get, Post } from '@nestjs/common';
import { RequireAuth, Session } from 'nest-sessions';

declare module 'nest-sessions' {
  interface SessionData {
    count?: number;
  }
}

/** Signs in, counts, and tells who it is and how many devices there are. */
@Controller()
export class CountController {
  @Post('login')
  async login(@Body() body: { user: string }, @Session() session: Session): Promise<void> {
    await session.authenticate(body.user);
  }

  @RequireAuth()
  @Post('count')
  async count(@Session() session: Session): Promise<{ count: number }> {
    await session.update((data) => {
      data.count = (data.count ?? 0) + 1;
    });
    return { count: session.data.count ?? 0 };
  }

  @RequireAuth()
  @Get('count')
  look(@Session() session: Session): { user: string | null; count: number } {
    return { user: session.userId, count: session.data.count ?? 0 };
  }

  @RequireAuth()
  @Get('devices')
  async devices(@Session() session: Session): Promise<number> {
    return (await session.list()).length;
  }

  @Post('logout-all')
  async logoutAll(@Session() session: Session): Promise<void> {
    await session.logoutAll();
  }
}
