import {
  type ArgumentsHost,
  BadRequestException,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  All,
  Injectable,
  NotFoundException,
  type PipeTransform,
  Query,
  Redirect,
  RequestMethod,
  Res,
  Sse,
  StreamableFile,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { type Observable, of } from 'rxjs';
import { Session, sessionOf } from 'nest-sessions';
import { change, turn } from './exit-change.js';
import { HostedController, MoreExitsController } from './more-exits.js';
import type { PlatformResponse, TestData, TestSession } from './routes.js';

/** A way out of a request, and what it answers when nothing goes wrong. docs/request-lifecycle.md lists them by these titles. */
export interface Exit {
  readonly title: string;
  readonly path: string;
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  /** Where Fastify answers with another status. */
  readonly onFastify?: number;
  /** A part of the body. */
  readonly body?: string;
}

/** Every way out of a request that we know of. Each of them changes the session first. */
export const EXITS: readonly Exit[] = [
  { title: 'a returned object', path: '/exit/object', status: 200, body: '{"n":1}' },
  { title: 'a returned promise of nothing', path: '/exit/nothing', status: 200, body: '' },
  { title: 'a returned Observable', path: '/exit/observable', status: 200, body: '{"n":1}' },
  { title: '@Redirect', path: '/exit/redirect', status: 302 },
  { title: 'StreamableFile', path: '/exit/file', status: 200, body: 'from a file' },
  { title: 'HEAD', path: '/exit/object', method: 'HEAD', status: 200, body: '' },
  { title: '@Sse', path: '/exit/sse', status: 200, body: 'data: hello' },
  { title: '@Res() and json or send', path: '/exit/send', status: 200, body: '{"n":1}' },
  { title: '@Res() and redirect', path: '/exit/res-redirect', status: 302 },
  { title: '@Res() and end', path: '/exit/end', status: 200, body: 'ended' },
  { title: '@Res() and write, write, end', path: '/exit/write', status: 200, body: 'one two three' },
  { title: '@Res() and writeHead, end', path: '/exit/head', status: 207, body: 'multi' },
  { title: '@Res() and flushHeaders, end', path: '/exit/flush', status: 200, body: 'flushed' },
  { title: '@Res() and a piped stream', path: '/exit/pipe', status: 200, body: 'piped' },
  { title: '@Res() after an await', path: '/exit/later', status: 200, body: 'later' },
  { title: 'a thrown HttpException', path: '/exit/http-exception', status: 404, body: 'no such page' },
  { title: 'a thrown Error', path: '/exit/error', status: 500, body: 'Internal server error' },
  { title: 'a guard that refuses', path: '/exit/guarded', status: 403 },
  { title: 'a pipe that refuses', path: '/exit/piped?n=none', status: 400 },
  { title: 'a guard that refuses with a flash and a returnTo', path: '/more/returns', status: 302 },
  {
    title: '@Res({ passthrough: true }) and a returned value',
    path: '/more/passthrough',
    status: 202,
    body: 'passed',
  },
  { title: '@Res({ passthrough: true }) and redirect', path: '/more/passthrough-redirect', status: 302 },
  { title: 'an answer of 304', path: '/more/not-modified', status: 304, body: '' },
  { title: 'an answer of 204', path: '/more/no-content', status: 204, body: '' },
  {
    title: 'a change by an interceptor behind the handler',
    path: '/more/intercepted',
    status: 200,
    body: 'late',
  },
  {
    title: 'a change by an interceptor that answers in place of the handler',
    path: '/more/cached',
    status: 200,
    body: 'kept',
  },
  { title: 'a change by a pipe', path: '/more/piped', status: 200, body: 'through' },
  {
    title: 'a handler that is timed out by an interceptor',
    path: '/more/timeout',
    status: 408,
    body: 'Request Timeout',
  },
  { title: 'a StreamableFile that fails', path: '/more/broken-file', status: 400, onFastify: 500 },
  { title: 'a versioned controller', path: '/v2/more/versioned', status: 200, body: 'v2' },
  { title: 'a controller of one host', path: '/hosted', status: 200, body: 'hosted' },
  { title: 'an exception filter that redirects', path: '/more/redirecting-filter', status: 303 },
  {
    title: 'an exception filter that answers by itself',
    path: '/exit/filtered',
    status: 418,
    body: 'teapot',
  },
];

@Injectable()
class RefusingGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    change(sessionOf<TestData>(context));
    return false;
  }
}

@Injectable()
class ChangingGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    change(sessionOf<TestData>(context));
    return true;
  }
}

@Injectable()
class RefusingPipe implements PipeTransform {
  transform(): never {
    throw new BadRequestException('not a number');
  }
}

@Catch()
class AnsweringFilter implements ExceptionFilter {
  catch(_: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<PlatformResponse & ServerResponse>();
    const raw = response.raw ?? response;
    raw.statusCode = 418;
    raw.end('teapot');
  }
}

/** As the platform's own response: what `@Res()` gives. */
type Response = PlatformResponse & ServerResponse;
const rawOf = (response: Response): ServerResponse => response.raw ?? response;

@Controller('exit')
class ExitController {
  @All('object')
  object(@Session() session: TestSession): object {
    change(session);
    return { n: 1 };
  }

  @All('nothing')
  async nothing(@Session() session: TestSession): Promise<void> {
    await turn();
    change(session);
  }

  @All('observable')
  observable(@Session() session: TestSession): Observable<object> {
    change(session);
    return of({ n: 1 });
  }

  @All('redirect')
  @Redirect('/elsewhere')
  redirect(@Session() session: TestSession): void {
    change(session);
  }

  @All('file')
  file(@Session() session: TestSession): StreamableFile {
    change(session);
    return new StreamableFile(Readable.from([Buffer.from('from a '), Buffer.from('file')]));
  }

  @Sse('sse', { method: RequestMethod.ALL })
  sse(@Session() session: TestSession): Observable<{ data: string }> {
    change(session);
    return of({ data: 'hello' });
  }

  @All('send')
  send(@Session() session: TestSession, @Res() response: Response): void {
    change(session);
    response.send({ n: 1 });
  }

  @All('res-redirect')
  resRedirect(@Session() session: TestSession, @Res() response: Response): void {
    change(session);
    response.status(302).redirect('/elsewhere');
  }

  @All('end')
  end(@Session() session: TestSession, @Res() response: Response): void {
    change(session);
    rawOf(response).end('ended');
  }

  @All('write')
  write(@Session() session: TestSession, @Res() response: Response): void {
    change(session);
    rawOf(response).write('one ');
    rawOf(response).write('two ');
    rawOf(response).end('three');
  }

  @All('head')
  head(@Session() session: TestSession, @Res() response: Response): void {
    change(session);
    rawOf(response).writeHead(207, 'Many', { 'content-type': 'text/plain' }).end('multi');
  }

  @All('flush')
  flush(@Session() session: TestSession, @Res() response: Response): void {
    change(session);
    rawOf(response).flushHeaders();
    rawOf(response).end('flushed');
  }

  @All('pipe')
  pipe(@Session() session: TestSession, @Res() response: Response): void {
    change(session);
    Readable.from(['pi', 'ped']).pipe(rawOf(response));
  }

  @All('later')
  async later(@Session() session: TestSession, @Res() response: Response): Promise<void> {
    await turn();
    change(session);
    response.send('later');
    await turn();
  }

  @All('http-exception')
  httpException(@Session() session: TestSession): never {
    change(session);
    throw new NotFoundException('no such page');
  }

  @All('error')
  error(@Session() session: TestSession): never {
    change(session);
    throw new Error('broken');
  }

  @All('guarded')
  @UseGuards(RefusingGuard)
  guarded(): void {}

  @All('piped')
  @UseGuards(ChangingGuard)
  piped(@Query('n', RefusingPipe) n: string): string {
    return n;
  }

  @All('filtered')
  @UseFilters(AnsweringFilter)
  filtered(@Session() session: TestSession): never {
    change(session);
    throw new Error('broken');
  }
}

/** What the paths of `EXITS` lead to. */
export const EXIT_CONTROLLERS = [ExitController, MoreExitsController, HostedController];

/** What comes of a change on a way out that is no answer to the handler, or none of its own. */
export interface OddExit {
  readonly title: string;
  readonly saved: 'yes' | 'no';
  readonly cookie: 'yes' | 'no';
  readonly before: 'yes' | 'no';
}

/** Ways out on which not all is well, and what becomes of the change. docs/request-lifecycle.md lists these too. */
export const ODD_EXITS = {
  late: { title: 'a change after the first byte', saved: 'yes', cookie: 'no', before: 'no' },
  lateSignIn: { title: 'a sign-in after the first byte: refused', saved: 'no', cookie: 'no', before: 'no' },
  hungUp: { title: 'a client that hangs up before the answer', saved: 'yes', cookie: 'no', before: 'no' },
  noRoute: { title: 'a path without a route, changed by a filter', saved: 'no', cookie: 'no', before: 'no' },
  skipped: { title: 'a route with `@SkipSession()`', saved: 'no', cookie: 'no', before: 'no' },
} as const satisfies Readonly<Record<string, OddExit>>;
