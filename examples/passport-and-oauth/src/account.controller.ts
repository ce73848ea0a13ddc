import { Controller, Get, Req } from '@nestjs/common';
import type { Request } from 'express';
import { RequireAuth, Session, UserId } from 'nest-sessions';
import { page } from './page.js';
import type { User } from './users/user.entity.js';

@Controller()
export class AccountController {
  @Get()
  home(@Req() request: Request) {
    return page(nameIn(request));
  }

  @Get('me')
  @RequireAuth()
  me(@UserId() userId: string, @Req() request: Request) {
    return { userId, name: nameIn(request) };
  }

  @Get('devices')
  @RequireAuth()
  devices(@Session() session: Session) {
    return session.list();
  }
}

/** What `UserSerializer` made of the id in the session. */
function nameIn(request: Request): string | null {
  return (request.user as User | undefined)?.name ?? null;
}
