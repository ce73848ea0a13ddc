import { Controller, createParamDecorator, Get, ParseIntPipe, Post } from '@nestjs/common';
import { Session, SessionModule, SkipSession, UserId } from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import { closeApps, http, KEY, PLATFORMS, RecordingLogger, startApp } from '../support/nest-app.js';
import { onEachPlatform } from '../support/open-app.js';
import type { TestSession } from '../support/routes.js';
import { BASICS, refusal } from '../support/session-routes.js';

@Controller('page')
class PageController {
  @Get('session')
  session(@Session() session: TestSession): object {
    return { theme: session.data.theme ?? null };
  }

  @Get('theme')
  theme(@Session('theme') theme: string | undefined): object {
    return { type: typeof theme, theme };
  }

  @Get('inherited')
  inherited(@Session('toString') found: unknown, @Session('__proto__') proto: unknown): object {
    return { found: typeof found, proto: typeof proto };
  }

  @Get('count')
  count(@Session('count', ParseIntPipe) count: number): object {
    return { count };
  }

  @Post('cart')
  cart(@Session('cart') cart: string[]): void {
    cart.push('issuer');
  }

  @Get('twice')
  twice(@Session() one: TestSession, @Session() two: TestSession): object {
    return { same: one === two };
  }

  @Get('user')
  user(@UserId() userId: string): object {
    return { userId };
  }
}

onEachPlatform('@Session()', (open) => {
  const openPages = () => open({ controllers: [PageController], routes: BASICS });

  it('gives a handler the session of its request, the same one each time', async () => {
    const { browser } = await openPages();
    const visitor = browser();
    expect((await visitor.get('/page/session')).json()).toEqual({ theme: null });
    await visitor.post('/do/set', { theme: 'dark' });
    expect((await visitor.get('/page/session')).json()).toEqual({ theme: 'dark' });
    expect((await visitor.get('/page/twice')).json()).toEqual({ same: true });
  });

  it("with a key gives that key's data, `undefined` where there is none, and nothing inherited", async () => {
    const { browser } = await openPages();
    const visitor = browser();
    expect((await visitor.get('/page/theme')).json()).toEqual({ type: 'undefined' });
    await visitor.post('/do/set', { theme: 'dark' });
    expect((await visitor.get('/page/theme')).json()).toEqual({ type: 'string', theme: 'dark' });
    expect((await visitor.get('/page/inherited')).json()).toEqual({ found: 'undefined', proto: 'undefined' });
  });

  it('with a key gives live data: what is changed in it is saved', async () => {
    const { browser } = await openPages();
    const visitor = browser();
    await visitor.post('/do/set', { cart: ['tea'] });
    expect((await visitor.post('/page/cart')).status).toBe(201);
    expect((await visitor.get('/do/data')).json()).toEqual({ cart: ['tea', 'issuer'] });
  });

  it('takes pipes as other parameter decorators do', async () => {
    const { browser } = await openPages();
    const visitor = browser();
    expect((await visitor.get('/page/count')).status).toBe(400);
    await visitor.post('/do/set', { count: '41' });
    expect((await visitor.get('/page/count')).json()).toEqual({ count: 41 });
  });

  it('stores nothing and sets no cookie by being read', async () => {
    const { browser, storage } = await openPages();
    const reply = await browser().get('/page/session');
    expect(reply.setCookies).toEqual([]);
    expect(storage.calls).toEqual([]);
  });
});

onEachPlatform('@UserId()', (open) => {
  it("gives the signed-in user's id", async () => {
    const { browser } = await open({ controllers: [PageController], routes: BASICS });
    const ada = browser();
    await ada.post('/do/in');
    expect((await ada.get('/page/user')).json()).toEqual({ userId: 'ada' });
  });

  it('answers 401 for everybody else, with or without a session', async () => {
    const { browser } = await open({ controllers: [PageController], routes: BASICS });
    const visitor = browser();
    const expected = { status: 401, code: 'authentication_required' };
    expect(refusal(await visitor.get('/page/user'))).toEqual(expected);
    await visitor.post('/do/set', { a: '1' });
    expect(refusal(await visitor.get('/page/user'))).toEqual(expected);
    await visitor.post('/do/in');
    await visitor.post('/do/out');
    expect(refusal(await visitor.get('/page/user'))).toEqual(expected);
  });
});

const Theme = createParamDecorator((_, context) => context.getType());

@Controller('own')
class OwnDecoratorController {
  @Get('both')
  both(@Theme() type: string, @Session() session: TestSession): object {
    return { type, isNew: session.isNew };
  }
}

onEachPlatform("@Session() beside an app's own parameter decorators", (open) => {
  it('keeps its place', async () => {
    const { browser } = await open({ controllers: [OwnDecoratorController] });
    expect((await browser().get('/own/both')).json()).toEqual({ type: 'http', isNew: true });
  });
});

@Controller('none')
class NoSessionController {
  @Get('session')
  session(@Session() session: TestSession): object {
    return { userId: session.userId };
  }

  @Get('user')
  user(@UserId() userId: string): object {
    return { userId };
  }

  @Get('skipped')
  @SkipSession()
  skipped(@Session() session: TestSession): object {
    return { userId: session.userId };
  }

  @Get('skipped-user')
  @SkipSession()
  skippedUser(@UserId() userId: string): object {
    return { userId };
  }
}

describe.each(PLATFORMS)('where no session is loaded, on %s', (platform) => {
  afterEach(closeApps);

  it('in an app without SessionModule, @Session() and @UserId() answer 500, and the log names it', async () => {
    const logger = new RecordingLogger();
    const app = await startApp({ platform, logger, controllers: [NoSessionController] });
    for (const path of ['session', 'user']) {
      const { body } = await http(app).get(`/none/${path}`).expect(500);
      expect(body).toEqual({ statusCode: 500, message: 'Internal server error' });
    }
    expect(logger.about('import SessionModule.forRoot()')).toHaveLength(2);
    expect(logger.about('SkipSession')).toEqual([]);
  });

  it('on a route that skips it, @Session() names that, and @UserId() answers 401', async () => {
    const logger = new RecordingLogger();
    const app = await startApp({
      platform,
      logger,
      imports: [SessionModule.forRoot({ key: KEY, backend: MemorySessionBackend })],
      controllers: [NoSessionController],
    });
    await http(app).get('/none/skipped').expect(500);
    await http(app).get('/none/skipped-user').expect(401);
    expect(logger.about('@SkipSession()')).toHaveLength(1);
    expect(logger.about('SessionModule')).toEqual([]);
  });
});
