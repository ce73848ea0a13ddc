import { Controller, Get, Post, Scope, UseGuards } from '@nestjs/common';
import { Public, RequireAuth, Session, SessionOptionsError } from 'nest-sessions';
import { KEY, onEachPlatform } from '../support/open-app.js';
import type { TestSession } from '../support/routes.js';
import { BASICS, refusal } from '../support/session-routes.js';

const MOUNTS = ['guard', 'middleware'] as const;
const NEEDS_SIGN_IN = { status: 401, code: 'authentication_required' };
const NEEDS_PROOF = { status: 401, code: 'reauthentication_required' };

@Controller('open')
class OpenController {
  @Get('open')
  open(): object {
    return { ok: true };
  }

  @Get('closed')
  @RequireAuth()
  closed(): object {
    return { ok: true };
  }

  @Get('fresh')
  @RequireAuth({ within: '10m' })
  fresh(): object {
    return { ok: true };
  }

  @Post('again')
  again(@Session() session: TestSession): Promise<void> {
    return session.reauthenticate();
  }
}

@Controller('closed')
@RequireAuth({ within: '10m' })
class ClosedController {
  @Get('fresh')
  fresh(): object {
    return { ok: true };
  }

  @Get('public')
  @Public()
  open(): object {
    return { ok: true };
  }

  @Get('any')
  @RequireAuth()
  any(): object {
    return { ok: true };
  }
}

@Controller('public')
@Public()
class PublicController {
  @Get('open')
  open(): object {
    return { ok: true };
  }

  @Get('closed')
  @RequireAuth()
  closed(): object {
    return { ok: true };
  }

  @Post('in')
  in(@Session() session: TestSession): Promise<void> {
    return session.authenticate('ada');
  }
}

/** Nest makes one for each request. */
@Controller({ path: 'scoped', scope: Scope.REQUEST })
@RequireAuth()
class ScopedController {
  @Get('closed')
  closed(): object {
    return { ok: true };
  }

  @Get('public')
  @Public()
  open(): object {
    return { ok: true };
  }
}

/** What it inherits is protected, and so is what it adds. */
@Controller('heir')
class HeirController extends ClosedController {
  @Get('added')
  added(): object {
    return { ok: true };
  }
}

/** Guards of its own come after the inherited one. */
@Controller('guarded')
@UseGuards({ canActivate: () => true })
class GuardedController extends ClosedController {}

const controllers = [
  OpenController,
  ClosedController,
  PublicController,
  ScopedController,
  HeirController,
  GuardedController,
];

onEachPlatform('@RequireAuth()', (open) => {
  it('answers 401 without a user, and lets a signed-in one in', async () => {
    const { browser } = await open({ controllers, routes: BASICS });
    const ada = browser();
    const reply = await ada.get('/open/closed');
    expect(refusal(reply)).toEqual(NEEDS_SIGN_IN);
    expect(reply.json()).toEqual({
      statusCode: 401,
      message: 'Sign in first',
      error: 'Unauthorized',
      code: 'authentication_required',
    });
    await ada.post('/do/set', { a: '1' });
    expect(refusal(await ada.get('/open/closed'))).toEqual(NEEDS_SIGN_IN);
    await ada.post('/do/in');
    expect((await ada.get('/open/closed')).json()).toEqual({ ok: true });
    await ada.post('/do/out');
    expect(refusal(await ada.get('/open/closed'))).toEqual(NEEDS_SIGN_IN);
  });

  it('answers 401 once the session has expired', async () => {
    const { browser, clock } = await open({ controllers, routes: BASICS });
    const ada = browser();
    await ada.post('/do/in');
    clock.advance('24h');
    expect(refusal(await ada.get('/open/closed'))).toEqual(NEEDS_SIGN_IN);
  });

  it('with `within` wants a sign-in that is not older, which `reauthenticate` renews', async () => {
    const { browser, clock } = await open({ controllers, routes: BASICS });
    const ada = browser();
    expect(refusal(await ada.get('/open/fresh'))).toEqual(NEEDS_SIGN_IN);
    await ada.post('/do/in');
    clock.advance('10m');
    expect((await ada.get('/open/fresh')).status).toBe(200);
    clock.advance(1);
    expect(refusal(await ada.get('/open/fresh'))).toEqual(NEEDS_PROOF);
    expect((await ada.get('/open/closed')).status).toBe(200);
    expect((await ada.post('/open/again')).status).toBe(201);
    expect((await ada.get('/open/fresh')).status).toBe(200);
  });

  it('on a method wins over the class, either way', async () => {
    const { browser, clock } = await open({ controllers, routes: BASICS });
    const [ada, visitor] = [browser(), browser()];
    await ada.post('/do/in');
    clock.advance('11m');
    expect(refusal(await ada.get('/closed/fresh'))).toEqual(NEEDS_PROOF);
    expect((await ada.get('/closed/any')).status).toBe(200);
    expect((await visitor.get('/closed/public')).status).toBe(200);
    expect((await visitor.get('/public/open')).status).toBe(200);
    expect(refusal(await visitor.get('/public/closed'))).toEqual(NEEDS_SIGN_IN);
    expect((await ada.get('/public/closed')).status).toBe(200);
  });

  it('holds in controllers of each request, and in those that inherit it', async () => {
    const { browser } = await open({ controllers, routes: BASICS });
    const [ada, visitor] = [browser(), browser()];
    await ada.post('/do/in');
    for (const path of ['/scoped/closed', '/heir/any', '/heir/added', '/heir/fresh', '/guarded/any']) {
      expect([path, refusal(await visitor.get(path))]).toEqual([path, NEEDS_SIGN_IN]);
      expect([path, (await ada.get(path)).json()]).toEqual([path, { ok: true }]);
    }
    for (const path of ['/scoped/public', '/heir/public', '/guarded/public'])
      expect([path, (await visitor.get(path)).status]).toEqual([path, 200]);
  });

  it.each(MOUNTS)("costs one look-up with mount: '%s', and counts as one use", async (mount) => {
    const options = { key: KEY, mount };
    const { browser, clock, storage, store } = await open({ controllers, routes: BASICS, options });
    const ada = browser();
    await ada.post('/do/in');
    clock.advance('1h');
    storage.forget();
    expect((await ada.get('/open/closed')).status).toBe(200);
    await store.manager.drain();
    expect(storage.calls).toEqual(['find', 'touch']);
  });

  it.each([['60'], [''], [-1], [500], [Number.NaN]])('refuses `within: %p` when it is written', (within) => {
    const write = () => RequireAuth({ within: within as '10m' });
    expect(write).toThrow(SessionOptionsError);
    expect(write).toThrow(/within/);
  });
});

onEachPlatform('`requireAuth: true`', (open) => {
  it('closes every route but `@Public()` ones', async () => {
    const { browser } = await open({ controllers, options: { requireAuth: true } });
    const ada = browser();
    expect(refusal(await ada.get('/open/open'))).toEqual(NEEDS_SIGN_IN);
    expect(refusal(await ada.get('/plain'))).toEqual(NEEDS_SIGN_IN);
    expect(refusal(await ada.get('/public/closed'))).toEqual(NEEDS_SIGN_IN);
    expect((await ada.get('/public/open')).status).toBe(200);
    expect((await ada.get('/closed/public')).status).toBe(200);
    await ada.post('/public/in');
    for (const path of ['/open/open', '/plain', '/public/closed', '/closed/fresh']) {
      expect((await ada.get(path)).status).toBe(200);
    }
  });

  it('leaves `within` of a route in force', async () => {
    const { browser, clock } = await open({ controllers, options: { requireAuth: true } });
    const ada = browser();
    await ada.post('/public/in');
    clock.advance('11m');
    expect(refusal(await ada.get('/open/fresh'))).toEqual(NEEDS_PROOF);
    expect((await ada.get('/open/open')).status).toBe(200);
  });

  it('answers 404, not 401, where no route is', async () => {
    const { browser } = await open({ controllers, options: { requireAuth: true } });
    expect((await browser().get('/nowhere')).status).toBe(404);
  });
});
