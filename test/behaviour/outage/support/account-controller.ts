import { Body, Controller, Get, Post } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Session } from '../../../../src/index.js';

declare module '../../../../src/index.js' {
  interface SessionData {
    theme?: string;
  }
}

/** What `Client` asks for, and a statement of the app's own. */
@Controller()
export class AccountController {
  constructor(private readonly dataSource: DataSource) {}

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

  /** What the app does on its own pool beside sessions; that it may fail is the app's. */
  @Get('own')
  async own(): Promise<void> {
    await this.dataSource.query('SELECT 1').catch(() => undefined);
  }
}
