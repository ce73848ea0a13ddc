import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  All,
  HttpCode,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  RequestTimeoutException,
  Res,
  StreamableFile,
  UnauthorizedException,
  UseFilters,
  UseGuards,
  UseInterceptors,
  Version,
} from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { catchError, from, map, NEVER, type Observable, of, throwError, timeout } from 'rxjs';
import { Session, sessionOf } from 'nest-sessions';
import { change, turn } from './exit-change.js';
import type { PlatformResponse, TestData, TestSession } from './routes.js';

type Response = PlatformResponse & ServerResponse;

@Injectable()
class SignInGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const session = sessionOf<TestData>(context);
    change(session);
    session?.flash('notice', 'Please sign in');
    session?.set('returnTo', '/more/returns');
    throw new UnauthorizedException();
  }
}

/** Leads to the sign-in page. */
@Catch()
class RedirectingFilter implements ExceptionFilter {
  catch(_: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    response.status(302).redirect('/sign-in');
  }
}

/** As the recipe for pages of HTML has it. */
@Catch()
class SeeOtherFilter implements ExceptionFilter {
  catch(_: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    change(sessionOf<TestData>(http.getRequest<object>()));
    http.getResponse<Response>().status(303).header('Location', '/sign-in').send();
  }
}

@Injectable()
class LateInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      map((value: unknown) => {
        change(sessionOf<TestData>(context));
        return value;
      }),
    );
  }
}

@Injectable()
class CachingInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext): Observable<unknown> {
    change(sessionOf<TestData>(context));
    return of('kept');
  }
}

/** As Nest's documentation has it, but soon. */
@Injectable()
class TimeoutInterceptor implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      timeout(5),
      catchError(() => throwError(() => new RequestTimeoutException())),
    );
  }
}

@Injectable()
class ReadingPipe implements PipeTransform {
  transform(session: TestSession): TestSession {
    change(session);
    return session;
  }
}

@Controller('more')
export class MoreExitsController {
  @All('returns')
  @UseGuards(SignInGuard)
  @UseFilters(RedirectingFilter)
  returns(): void {}

  @All('passthrough')
  passthrough(@Session() session: TestSession, @Res({ passthrough: true }) response: Response): string {
    change(session);
    response.status(202).header('X-App', 'yes');
    return 'passed';
  }

  @All('passthrough-redirect')
  passthroughRedirect(@Session() session: TestSession, @Res({ passthrough: true }) response: Response): void {
    change(session);
    response.status(302).redirect('/elsewhere');
  }

  @All('not-modified')
  @HttpCode(304)
  notModified(@Session() session: TestSession): void {
    change(session);
  }

  @All('no-content')
  @HttpCode(204)
  noContent(@Session() session: TestSession): void {
    change(session);
  }

  @All('intercepted')
  @UseInterceptors(LateInterceptor)
  async intercepted(): Promise<string> {
    await turn();
    return 'late';
  }

  @All('cached')
  @UseInterceptors(CachingInterceptor)
  cached(): string {
    return 'never';
  }

  @All('piped')
  piped(@Session(ReadingPipe) session: TestSession): string {
    return session.data.theme === 'dark' ? 'through' : 'unchanged';
  }

  @All('timeout')
  @UseInterceptors(TimeoutInterceptor)
  timeout(@Session() session: TestSession): Observable<never> {
    change(session);
    return NEVER;
  }

  @All('broken-file')
  brokenFile(@Session() session: TestSession): StreamableFile {
    change(session);
    const broken = new Readable({ read: () => broken.destroy(new Error('no such file')) });
    return new StreamableFile(broken);
  }

  @All('versioned')
  @Version('2')
  versioned(@Session() session: TestSession): Observable<string> {
    change(session);
    return from(['v2']);
  }

  @All('redirecting-filter')
  @UseFilters(SeeOtherFilter)
  redirectingFilter(): never {
    throw new Error('broken');
  }
}

@Controller({ path: 'hosted', host: 'app.test' })
export class HostedController {
  @All()
  hosted(@Session() session: TestSession): string {
    change(session);
    return 'hosted';
  }
}
