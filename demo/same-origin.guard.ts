import { type CanActivate, type ExecutionContext, ForbiddenException, Injectable } from '@nestjs/common';
import type { Request } from 'express';

/**
 * Refuses forms that another site sends. The session cookie is SameSite=Lax, so such a form could not act for a user;
 * this also keeps it from signing a visitor in as somebody else.
 */
@Injectable()
export class SameOriginGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { method, headers } = context.switchToHttp().getRequest<Request>();
    const site = headers['sec-fetch-site'] ?? 'none';
    if (method === 'POST' && site !== 'same-origin' && site !== 'none') {
      throw new ForbiddenException('The form came from another site');
    }
    return true;
  }
}
