import { Controller, type ExecutionContext, Get, Injectable } from '@nestjs/common';
import { RequireAuth, Session, SessionGuard, SessionModule, UserId } from 'nest-sessions';
import { MemorySessionBackend, signIn } from 'nest-sessions/testing';
import { type AppSetup, closeApps, http, KEY, PLATFORMS, startApp } from './support/nest-app.js';

@Controller('account')
class AccountController {
  @Get()
  @RequireAuth()
  show(): object {
    return { shown: true };
  }

  @Get('session')
  @RequireAuth({ within: '10m' })
  session(@Session() session: Session): object {
    return { userId: session.userId };
  }
}

@Controller('members')
class PlainController {
  @Get()
  show(): object {
    return { shown: true };
  }

  @Get('me')
  me(@UserId() userId: string): object {
    return { userId };
  }
}

/** A guard of a test that counts its calls. */
class StandIn {
  calls = 0;

  constructor(private readonly answer: boolean) {}

  canActivate(): boolean {
    this.calls++;
    return this.answer;
  }
}

@Injectable()
class WatchedGuard extends SessionGuard {
  static readonly calls: string[] = [];

  override canActivate(context: ExecutionContext) {
    WatchedGuard.calls.push(context.getHandler().name);
    return super.canActivate(context);
  }
}

afterEach(closeApps);

describe.each(PLATFORMS)('in tests on %s', (platform) => {
  const start = (requireAuth: boolean, build: AppSetup['build']) =>
    startApp({
      platform,
      imports: [SessionModule.forRoot({ key: KEY, backend: MemorySessionBackend, requireAuth })],
      controllers: [AccountController, PlainController],
      build,
    });

  describe('overrideProvider(SessionGuard)', () => {
    it('puts a stand-in in front, which decides alone and once', async () => {
      const open = new StandIn(true);
      const app = await start(true, (b) => b.overrideProvider(SessionGuard).useValue(open));
      await http(app).get('/account').expect(200);
      await http(app).get('/members').expect(200);
      expect(open.calls).toBe(2);
      const shut = new StandIn(false);
      const other = await start(false, (b) => b.overrideProvider(SessionGuard).useValue(shut));
      const { cookie } = await signIn(other, 'ada');
      await http(other).get('/account').set('Cookie', cookie).expect(403);
      await http(other).get('/members').set('Cookie', cookie).expect(403);
    });

    it('takes a class that extends it, and sessions are loaded as ever', async () => {
      WatchedGuard.calls.length = 0;
      const app = await start(false, (b) => b.overrideProvider(SessionGuard).useClass(WatchedGuard));
      await http(app).get('/account').expect(401);
      const { cookie } = await signIn(app, 'ada');
      await http(app).get('/account').set('Cookie', cookie).expect(200);
      const { body } = await http(app).get('/account/session').set('Cookie', cookie).expect(200);
      expect(body).toEqual({ userId: 'ada' });
      expect(WatchedGuard.calls).toEqual(['show', 'show', 'session']);
    });
  });

  describe('overrideGuard(SessionGuard)', () => {
    it('opens what @RequireAuth() closes, and sessions are loaded as ever', async () => {
      const open = new StandIn(true);
      const app = await start(false, (b) => b.overrideGuard(SessionGuard).useValue(open));
      await http(app).get('/account').expect(200);
      expect((await http(app).get('/account/session').expect(200)).body).toEqual({ userId: null });
      expect(open.calls).toBe(2);
      const { cookie } = await signIn(app, 'ada');
      expect((await http(app).get('/members/me').set('Cookie', cookie).expect(200)).body).toEqual({
        userId: 'ada',
      });
      await http(app).get('/members/me').expect(401);
    });

    it('closes it for everybody, if that is what the stand-in says', async () => {
      const app = await start(false, (b) => b.overrideGuard(SessionGuard).useValue(new StandIn(false)));
      const { cookie } = await signIn(app, 'ada');
      await http(app).get('/account').set('Cookie', cookie).expect(403);
      await http(app).get('/members').set('Cookie', cookie).expect(200);
    });

    it('leaves alone what `requireAuth` closes, as no guard is bound there', async () => {
      const app = await start(true, (b) => b.overrideGuard(SessionGuard).useValue(new StandIn(true)));
      await http(app).get('/account').expect(200);
      await http(app).get('/members').expect(401);
    });
  });

  it('nothing is changed by overriding another guard', async () => {
    const app = await start(false, (b) => b.overrideGuard(WatchedGuard).useValue(new StandIn(true)));
    await http(app).get('/account').expect(401);
    const { cookie } = await signIn(app, 'ada');
    await http(app).get('/account').set('Cookie', cookie).expect(200);
  });
});
