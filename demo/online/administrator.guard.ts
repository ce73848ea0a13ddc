import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { type Session, sessionOf } from 'nest-sessions';

/** Lets administrators in, and answers everybody else 403. */
@Injectable()
export class AdministratorGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const session = sessionOf(context);
    return session !== null && isAdministrator(session);
  }
}

export function isAdministrator(session: Session): boolean {
  return session.isAuthenticated && session.get('role') === 'administrator';
}
