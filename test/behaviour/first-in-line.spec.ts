import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  ForbiddenException,
  Get,
  Inject,
  Injectable,
  Module,
  type NestInterceptor,
  Scope,
  UseGuards,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, REQUEST } from '@nestjs/core';
import type { Observable } from 'rxjs';
import { RequireAuth, SessionLimitError, sessionOf } from 'nest-sessions';
import { type AppSetup, KEY, onEachPlatform } from '../support/open-app.js';
import type { PlatformResponse } from '../support/routes.js';
import { BASICS } from '../support/session-routes.js';

/** Who saw what, in the order of the calls. */
const seen: string[] = [];

function note(who: string, context: ArgumentsHost): void {
  const session = sessionOf(context.switchToHttp().getRequest<object>());
  seen.push(`${who}: ${session === null ? 'no session' : (session.userId ?? 'nobody')}`);
}

class Witness implements CanActivate, NestInterceptor {
  constructor(private readonly who: string) {}

  canActivate(context: ExecutionContext): boolean {
    note(`guard ${this.who}`, context);
    return true;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    note(`interceptor ${this.who}`, context);
    return next.handle();
  }
}

@Injectable({ scope: Scope.REQUEST })
class RequestScopedWitness extends Witness {
  constructor(@Inject(REQUEST) readonly request: object) {
    super('of the request');
  }
}

const witness = (who: string) => [
  { provide: APP_GUARD, useValue: new Witness(who) },
  { provide: APP_INTERCEPTOR, useValue: new Witness(who) },
];

@Module({ providers: witness('of an earlier module') })
class EarlierModule {}

@Controller('line')
class LineController {
  @Get('open')
  @UseGuards(new Witness('of the route'))
  open(): object {
    return {};
  }

  @Get('closed')
  @RequireAuth()
  closed(): object {
    return {};
  }
}

const apps = (mount: 'guard' | 'middleware'): AppSetup => ({
  options: { key: KEY, mount },
  routes: BASICS,
  controllers: [LineController],
  before: [EarlierModule],
  providers: [
    ...witness('of the root'),
    { provide: APP_GUARD, useClass: RequestScopedWitness },
    { provide: APP_INTERCEPTOR, useClass: RequestScopedWitness },
  ],
  prepare: (app) => {
    app.useGlobalGuards(new Witness('of main.ts'));
    app.useGlobalInterceptors(new Witness('of main.ts'));
  },
});

beforeEach(() => void seen.splice(0));

describe.each(['guard', 'middleware'] as const)("with mount: '%s'", (mount) => {
  onEachPlatform('the session', (open) => {
    it('is there for every guard and interceptor of the app, wherever it was registered', async () => {
      const { browser } = await open(apps(mount));
      const ada = browser();
      await ada.post('/do/in');
      seen.splice(0);
      expect((await ada.get('/line/open')).status).toBe(200);
      expect(seen.toSorted()).toEqual([
        'guard of an earlier module: ada',
        'guard of main.ts: ada',
        'guard of the request: ada',
        'guard of the root: ada',
        'guard of the route: ada',
        'interceptor of an earlier module: ada',
        'interceptor of main.ts: ada',
        'interceptor of the request: ada',
        'interceptor of the root: ada',
      ]);
    });

    it('is asked for a user before any of them is called', async () => {
      const { browser } = await open(apps(mount));
      expect((await browser().get('/line/closed')).status).toBe(401);
      expect(seen).toEqual([]);
    });
  });
});

@Catch(SessionLimitError)
class LimitFilter implements ExceptionFilter {
  constructor(private readonly who: string) {}

  catch(_error: unknown, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<PlatformResponse>().status(418).send(this.who);
  }
}

@Injectable()
class FullHouse implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.getClass() === LineController) throw new SessionLimitError('the house is full');
    throw new ForbiddenException();
  }
}

onEachPlatform('an error of this library that no handler saw', (open) => {
  it('is for the filters of the app first, wherever they were registered', async () => {
    const guard = { provide: APP_GUARD, useClass: FullHouse };
    const filter = { provide: APP_FILTER, useValue: new LimitFilter('root') };
    @Module({ providers: [{ provide: APP_FILTER, useValue: new LimitFilter('earlier') }] })
    class FilteringModule {}
    const setups: Array<[string, AppSetup]> = [
      ['root', { providers: [guard, filter] }],
      ['earlier', { providers: [guard], before: [FilteringModule] }],
      [
        'main.ts',
        { providers: [guard], prepare: (app) => void app.useGlobalFilters(new LimitFilter('main.ts')) },
      ],
    ];
    for (const [who, setup] of setups) {
      const { browser } = await open({ ...setup, controllers: [LineController] });
      const { status, text } = await browser().get('/line/open');
      expect([status, text]).toEqual([418, who]);
    }
    const { browser } = await open({ providers: [guard], controllers: [LineController] });
    expect((await browser().get('/line/open')).status).toBe(409);
  });
});
