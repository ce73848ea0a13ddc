import { CacheInterceptor, CacheKey, CacheModule } from '@nestjs/cache-manager';
import {
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  type ModuleMetadata,
  Post,
  type Type,
  UseInterceptors,
} from '@nestjs/common';
import { APP_INTERCEPTOR, Reflector } from '@nestjs/core';
import { Public, RequireAuth, Session, SessionModule, sessionOf, SkipSession, UserId } from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import { closeApps, KEY, RecordingLogger, startApp } from '../support/nest-app.js';
import { onEachPlatform } from '../support/open-app.js';
import type { TestSession } from '../support/routes.js';
import { BASICS } from '../support/session-routes.js';

/** The recipe: the cache of one user is no other's, and nothing is kept while nobody is signed in. */
@Injectable()
class UserCacheInterceptor extends CacheInterceptor {
  protected override trackBy(context: ExecutionContext): string | undefined {
    const userId = sessionOf(context)?.userId ?? null;
    const key = super.trackBy(context);
    if (userId === null || typeof key !== 'string') return undefined;
    return `${userId} ${key}`;
  }
}

/** A class below one that has its own key. */
class QuietUserCacheInterceptor extends UserCacheInterceptor {}
/** A class below Nest's that changes something else. */
class NamedCacheInterceptor extends CacheInterceptor {
  readonly name = 'mine';
}

@Controller('me')
class CachedController {
  @Get()
  @RequireAuth()
  @UseInterceptors(CacheInterceptor)
  me(@UserId() user: string): object {
    return { user };
  }
}

@Controller('mine')
class OwnKeyController {
  @Get()
  @RequireAuth()
  @UseInterceptors(UserCacheInterceptor)
  mine(@UserId() user: string): object {
    return { user };
  }
  @Get('theme')
  @UseInterceptors(UserCacheInterceptor)
  theme(@Session('theme') theme: unknown): object {
    return { theme };
  }
}

onEachPlatform('a cache in front of routes that depend on who asks', (open) => {
  const imports = [CacheModule.register({ ttl: 60_000 })];

  it('gives one user the page of another when its key is the URL, and the log says so at startup', async () => {
    const { browser, log } = await open({ imports, controllers: [CachedController], routes: BASICS });
    expect(log.sessionWarnings.join()).toContain(
      'CacheInterceptor keeps what CachedController.me answers by URL alone',
    );
    const [ada, bob] = [browser(), browser()];
    await ada.get('/do/in?user=ada');
    await bob.get('/do/in?user=bob');
    expect((await ada.get('/me')).json()).toEqual({ user: 'ada' });
    expect((await bob.get('/me')).json()).toEqual({ user: 'ada' }); // what the warning is about
    expect((await browser().get('/me')).status).toBe(401); // the guard comes before the cache
  });

  it('gives each user their own when the id of the user is in its key, without a warning', async () => {
    const { browser, log } = await open({ imports, controllers: [OwnKeyController], routes: BASICS });
    expect(log.sessionWarnings.join()).not.toContain('CacheInterceptor');
    const [ada, bob] = [browser(), browser()];
    await ada.get('/do/in?user=ada');
    await bob.get('/do/in?user=bob');
    for (const [user, theirs] of [
      ['ada', ada],
      ['bob', bob],
      ['ada', ada],
    ] as const)
      expect((await theirs.get('/mine')).json()).toEqual({ user });
  });

  it('keeps nothing of visitors who are not signed in, each of whom may have data of their own', async () => {
    const { browser } = await open({ imports, controllers: [OwnKeyController], routes: BASICS });
    for (const theme of ['dark', 'light']) {
      const visitor = browser();
      await visitor.post('/do/set', { theme });
      for (const _ of ['asked', 'asked again']) {
        const reply = await visitor.get('/mine/theme');
        expect([reply.headers['x-cache'], reply.json()]).toEqual([undefined, { theme }]);
      }
    }
  });
});

describe('the warning of a shared cache', () => {
  afterEach(closeApps);

  const warningsOf = async (controllers: Type[], more: ModuleMetadata & { requireAuth?: boolean } = {}) => {
    const { requireAuth = false, imports = [], providers = [] } = more;
    const logger = new RecordingLogger();
    await startApp({
      logger,
      controllers,
      providers,
      imports: [
        CacheModule.register(),
        SessionModule.forRoot({ key: KEY, backend: new MemorySessionBackend(), requireAuth }),
        ...imports,
      ],
    });
    return logger.about('CacheInterceptor').map((line) => /what (.*) answers/.exec(line)?.[1]);
  };

  const controllerWith = (...decorators: MethodDecorator[]): Type => {
    @Controller('page')
    class Page {
      page(): object {
        return {};
      }
    }
    const handler = Object.getOwnPropertyDescriptor(
      Page.prototype,
      'page',
    ) as TypedPropertyDescriptor<unknown>;
    for (const decorate of [Get(), ...decorators])
      (decorate as (target: object, name: string, at: typeof handler) => void)(
        Page.prototype,
        'page',
        handler,
      );
    return Page;
  };
  const cached = UseInterceptors(CacheInterceptor);

  it.each<[string, Type]>([
    ['that need a user', controllerWith(cached, RequireAuth())],
    [
      'behind a class of the app that has no key of its own',
      controllerWith(UseInterceptors(NamedCacheInterceptor), RequireAuth()),
    ],
    ['with one fixed key', controllerWith(cached, RequireAuth(), CacheKey('page'))],
    [
      'behind an object of the app',
      controllerWith(UseInterceptors(new CacheInterceptor({}, new Reflector())), RequireAuth()),
    ],
  ])('is there for routes %s', async (_, controller) => {
    expect(await warningsOf([controller])).toEqual(['Page.page']);
  });

  it.each<[string, Type]>([
    ['that need no user', controllerWith(cached)],
    ['that are public', controllerWith(cached, Public())],
    ['without a cache', controllerWith(RequireAuth())],
    [
      'whose class has a key of its own',
      controllerWith(UseInterceptors(UserCacheInterceptor), RequireAuth()),
    ],
    [
      'whose class is below such a one',
      controllerWith(UseInterceptors(QuietUserCacheInterceptor), RequireAuth()),
    ],
    [
      'whose key is computed',
      controllerWith(
        cached,
        RequireAuth(),
        CacheKey(() => 'mine'),
      ),
    ],
    ['that skip the session', controllerWith(cached, SkipSession(), RequireAuth())],
  ])('is not there for routes %s', async (_, controller) => {
    expect(await warningsOf([controller])).toEqual([]);
  });

  it('is there for routes that take the session or the id of the user, though they need none', async () => {
    @Controller('reads')
    @UseInterceptors(CacheInterceptor)
    class Reads {
      @Get('session')
      session(@Session() session: TestSession): object {
        return { theme: session.data.theme };
      }
      @Get('user')
      user(@UserId() user: string): object {
        return { user };
      }
      @Get('neither')
      neither(): object {
        return {};
      }
      @Post('post')
      @RequireAuth()
      post(): object {
        return {};
      }
    }
    expect(await warningsOf([Reads])).toEqual(['Reads.session, Reads.user']);
  });

  it('counts interceptors of the whole app, and the option `requireAuth`; it names three routes', async () => {
    @Controller('many')
    class Many {
      @Get('a') a(): void {}
      @Get('b') b(): void {}
      @Get('c') c(): void {}
      @Get('d') d(): void {}
      @Get('e') @Public() e(): void {}
    }
    const everywhere = { providers: [{ provide: APP_INTERCEPTOR, useClass: CacheInterceptor }] };
    expect(await warningsOf([Many], everywhere)).toEqual([]);
    const [named] = await warningsOf([Many], { ...everywhere, requireAuth: true });
    expect(named).toMatch(/^Many\.a, Many\.b, Many\.c and \d+ more$/);
  });
});
