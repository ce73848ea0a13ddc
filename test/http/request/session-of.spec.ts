import {
  type ArgumentsHost,
  BadRequestException,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  HttpException,
  Inject,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  Query,
  Req,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, REQUEST } from '@nestjs/core';
import { map, type Observable } from 'rxjs';
import { sessionOf, SkipSession } from 'nest-sessions';
import { onEachPlatform } from '../../support/open-app.js';
import type { PlatformRequest, PlatformResponse, TestData } from '../../support/routes.js';
import { BASICS, dataOf } from '../../support/session-routes.js';

/** Who saw which user, in order. */
let seen: [by: string, userId: string | null | undefined][] = [];
beforeEach(() => (seen = []));

function note(by: string, source: object): true {
  const session = sessionOf<TestData>(source);
  seen.push([by, session === null ? undefined : session.userId]);
  if (session) session.data[by] = true;
  return true;
}

@Injectable()
class SeeingGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return note('guard', context);
  }
}

@Injectable()
class AppGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return note('app guard', context);
  }
}

@Injectable({ scope: Scope.REQUEST })
class RequestScopedGuard implements CanActivate {
  constructor(@Inject(REQUEST) private readonly request: object) {}

  canActivate(): boolean {
    return note('request-scoped guard', this.request);
  }
}

class MainGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return note('guard of main.ts', context);
  }
}

@Injectable()
class SeeingInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    note('interceptor', context);
    return next
      .handle()
      .pipe(map((value: unknown) => note('interceptor, after the handler', context) && value));
  }
}

@Injectable()
class AppInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    note('app interceptor', context);
    return next.handle();
  }
}

@Injectable({ scope: Scope.REQUEST })
class SeeingPipe implements PipeTransform {
  constructor(@Inject(REQUEST) private readonly request: object) {}

  transform(value: unknown): unknown {
    note('pipe', this.request);
    return value;
  }
}

@Catch()
class SeeingFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    note('filter', host);
    const reply = host.switchToHttp().getResponse<PlatformResponse>();
    reply.status(error instanceof HttpException ? error.getStatus() : 500).send({ filtered: true });
  }
}

@Controller('seen')
class SeenController {
  @Get('all')
  @UseGuards(SeeingGuard)
  @UseInterceptors(SeeingInterceptor)
  @UsePipes(SeeingPipe)
  all(@Query('a') a: string, @Req() request: PlatformRequest): object {
    note('request', request);
    return { a };
  }

  @Get('fails')
  @UseFilters(SeeingFilter)
  fails(): never {
    throw new BadRequestException('no');
  }

  @Get('skipped')
  @SkipSession()
  @UseGuards(SeeingGuard)
  @UseInterceptors(SeeingInterceptor)
  skipped(): object {
    return {};
  }
}

onEachPlatform('sessionOf()', (open) => {
  it('gives the loaded session to guards, interceptors, pipes and by the request', async () => {
    const { browser } = await open({ controllers: [SeenController], routes: BASICS });
    const ada = browser();
    await ada.post('/do/in');
    expect((await ada.get('/seen/all?a=1')).json()).toEqual({ a: '1' });
    expect(seen).toEqual([
      ['guard', 'ada'],
      ['interceptor', 'ada'],
      ['pipe', 'ada'],
      ['request', 'ada'],
      ['interceptor, after the handler', 'ada'],
    ]);
    expect(Object.keys(await dataOf(ada)).toSorted()).toEqual(seen.map(([by]) => by).toSorted());
  });

  it('gives it to an exception filter, whose changes are saved too', async () => {
    const { browser } = await open({ controllers: [SeenController], routes: BASICS });
    const ada = browser();
    await ada.post('/do/in');
    const reply = await ada.get('/seen/fails');
    expect([reply.status, reply.json()]).toEqual([400, { filtered: true }]);
    expect(seen).toEqual([['filter', 'ada']]);
    expect(await dataOf(ada)).toEqual({ filter: true });
  });

  it('gives it to every global guard and interceptor, however it is registered', async () => {
    const { browser } = await open({
      routes: BASICS,
      providers: [
        { provide: APP_GUARD, useClass: AppGuard },
        { provide: APP_GUARD, useClass: RequestScopedGuard },
        { provide: APP_INTERCEPTOR, useClass: AppInterceptor },
      ],
      prepare: (app) => app.useGlobalGuards(new MainGuard()),
    });
    const ada = browser();
    await ada.post('/do/in');
    seen = [];
    expect((await ada.get('/do/see')).status).toBe(200);
    expect(seen.toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ['app guard', 'ada'],
      ['app interceptor', 'ada'],
      ['guard of main.ts', 'ada'],
      ['request-scoped guard', 'ada'],
    ]);
  });

  it('gives a global guard the changes of no other request, and saves its own', async () => {
    const { browser } = await open({
      routes: BASICS,
      providers: [{ provide: APP_GUARD, useClass: AppGuard }],
    });
    const [one, two] = [browser(), browser()];
    await one.post('/do/set', { mine: 'yes' });
    expect(await dataOf(one)).toEqual({ mine: 'yes', 'app guard': true });
    expect(await dataOf(two)).toEqual({ 'app guard': true });
  });

  it('looks the session up once, however many ask for it', async () => {
    const { browser, storage } = await open({
      controllers: [SeenController],
      routes: BASICS,
      providers: [{ provide: APP_GUARD, useClass: AppGuard }],
    });
    const ada = browser();
    await ada.post('/do/in');
    storage.forget();
    await ada.get('/seen/all');
    expect(storage.calls.filter((call) => call === 'find')).toHaveLength(1);
  });

  it('is null on `@SkipSession()` routes', async () => {
    const { browser } = await open({ controllers: [SeenController], routes: BASICS });
    const ada = browser();
    await ada.post('/do/in');
    await ada.get('/seen/skipped');
    expect(seen).toEqual([
      ['guard', undefined],
      ['interceptor', undefined],
      ['interceptor, after the handler', undefined],
    ]);
  });

  it('is null in a filter of a path that no route has', async () => {
    const { browser } = await open({
      routes: BASICS,
      providers: [{ provide: APP_FILTER, useClass: SeeingFilter }],
    });
    const ada = browser();
    await ada.post('/do/in');
    expect((await ada.get('/nowhere')).status).toBe(404);
    expect(seen).toEqual([['filter', undefined]]);
  });
});
