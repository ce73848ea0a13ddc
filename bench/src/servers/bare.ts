import { type CanActivate, Controller, Get, Injectable, type NestInterceptor, Post } from '@nestjs/common';
import type { CallHandler, ExecutionContext } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import type { Observable } from 'rxjs';
import type { Parts } from './application.js';
import type { ReadAnswer } from './fill.js';

@Controller()
class BareController {
  @Get('read')
  read(): ReadAnswer {
    return { theme: 'dark', items: 2 };
  }

  @Post('write')
  write(): { count: number } {
    return { count: 1 };
  }

  @Post('login')
  login(): { ok: boolean } {
    return { ok: true };
  }

  @Post('logout')
  logout(): { ok: boolean } {
    return { ok: true };
  }
}

@Injectable()
class EmptyGuard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

@Injectable()
class EmptyInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

/** The app without sessions. */
export function bare(): Parts {
  return { controller: BareController };
}

/** The app without sessions, with a global guard and interceptor that do nothing: what Nest itself takes for them. */
export function empty(): Parts {
  return {
    controller: BareController,
    providers: [
      { provide: APP_GUARD, useClass: EmptyGuard },
      { provide: APP_INTERCEPTOR, useClass: EmptyInterceptor },
    ],
  };
}
