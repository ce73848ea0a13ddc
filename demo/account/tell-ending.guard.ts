import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { sessionOf } from 'nest-sessions';
import { cookieToken, partsOf } from '../session/cookie-token.js';
import { Endings } from './endings.js';

/** Of a route: it tells by itself why a session has ended, and leaves that to the next page as well. */
export const TellsEnding = Reflector.createDecorator<true>();

/**
 * Tells somebody whose session has ended why, on whichever page they open next. Pages that need a user do not get here:
 * the filter for errors tells it on the way to the sign-in page.
 */
@Injectable()
export class TellEndingGuard implements CanActivate {
  constructor(
    private readonly endings: Endings,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.reflector.get(TellsEnding, context.getHandler())) return true;
    const request = context.switchToHttp().getRequest<Request>();
    const ended = request.accepts('html') ? endedSession(request) : null;
    const why = ended === null ? null : await this.endings.tell(ended);
    if (why !== null) sessionOf(request)?.flash('notice', why);
    return true;
  }
}

/**
 * The id of the session that a request had, and that is not there any more; `null`: it had none, or has it still. Nobody
 * has checked the cookie: who makes one up, with an id that is public, learns why a session ended, and nothing else.
 */
export function endedSession(request: Request): string | null {
  const session = sessionOf(request);
  const token = session !== null && session.id === null ? cookieToken(request) : null;
  return token === null ? null : partsOf(token).sessionId;
}
