import { Controller, Get, Post, Req, Session as NestSession } from '@nestjs/common';
import { inspect } from 'node:util';
import { Session, SessionDataError } from 'nest-sessions';
import { onEachPlatform } from '../support/open-app.js';
import type { PlatformRequest, TestSession } from '../support/routes.js';
import { BASICS, dataOf, refusal } from '../support/session-routes.js';

type Bag = Record<string, unknown>;
const METHODS = [
  'get',
  'set',
  'has',
  'remove',
  'take',
  'clear',
  'update',
  'takeOnce',
  'flashes',
  'authenticate',
  'reauthenticate',
  'rotate',
  'logout',
  'logoutOthers',
  'logoutAll',
  'list',
  'revoke',
] as const satisfies readonly (keyof TestSession)[];

@Controller('nest')
class NestController {
  @Get('read')
  read(@NestSession() bag: Bag): object {
    return { ...bag };
  }

  @Post('change')
  change(@NestSession() bag: Bag, @Session() session: TestSession, @Req() request: PlatformRequest): object {
    bag['theme'] = 'dark';
    (bag['cart'] as string[]).push('issuer');
    delete bag['old'];
    const own = request.session;
    if (own) own['count'] = 3;
    session.set('ours', true);
    return { bag: { ...bag }, data: session.data, request: { ...own }, ours: bag['ours'], old: 'old' in bag };
  }

  @Get('json')
  json(@NestSession() bag: Bag): Bag {
    return bag;
  }

  @Get('printed')
  printed(@NestSession() bag: Bag): object {
    return { printed: inspect(bag), keys: Object.keys(bag), missing: typeof bag['missing'] };
  }

  @Get('fresh')
  fresh(@NestSession() bag: Bag, @Session() session: TestSession): object {
    session.data = { assigned: true };
    return { ...bag };
  }

  @Get('call')
  call(@NestSession() bag: Bag): object {
    const messages = METHODS.map((name) => {
      try {
        return String((bag[name] as () => unknown)());
      } catch (error) {
        return `${(error as Error).constructor.name}: ${(error as Error).message}`;
      }
    });
    return { messages };
  }

  @Get('collide')
  collide(@NestSession() bag: Bag): object {
    bag['list'] = ['milk'];
    const refused = ['save', 'id', 'cookie', 'list'].filter((name) => {
      try {
        return !Reflect.set(bag, name, ['milk']);
      } catch (error) {
        return error instanceof SessionDataError;
      }
    });
    return { list: bag['list'], save: typeof bag['save'], refused };
  }

  @Get('pollute')
  pollute(@NestSession() bag: Bag): void {
    Reflect.set(bag, '__proto__', { admin: true });
  }
}

onEachPlatform("Nest's own @Session() and req.session", (open) => {
  const openNest = () => open({ controllers: [NestController], routes: BASICS });

  it('see and change the data of our session, which is saved', async () => {
    const { browser } = await openNest();
    const visitor = browser();
    await visitor.post('/do/set', { cart: ['tea'], old: 'x' });
    expect((await visitor.get('/nest/read')).json()).toEqual({ cart: ['tea'], old: 'x' });
    const expected = { cart: ['tea', 'issuer'], theme: 'dark', count: 3, ours: true };
    expect((await visitor.post('/nest/change')).json()).toEqual({
      bag: expected,
      data: expected,
      request: expected,
      ours: true,
      old: false,
    });
    expect(await dataOf(visitor)).toEqual(expected);
  });

  it('see what is assigned to `session.data` in the same request', async () => {
    const { browser } = await openNest();
    const visitor = browser();
    await visitor.post('/do/set', { a: '1' });
    expect((await visitor.get('/nest/fresh')).json()).toEqual({ assigned: true });
  });

  it('answer as the object that they look like', async () => {
    const { browser } = await openNest();
    const visitor = browser();
    await visitor.post('/do/set', { a: '1' });
    expect((await visitor.get('/nest/json')).json()).toEqual({ a: '1' });
    expect((await visitor.get('/nest/printed')).json()).toEqual({
      printed: '{}',
      keys: ['a'],
      missing: 'undefined',
    });
  });

  it('name the right import when one of our methods is called on them', async () => {
    const { browser } = await openNest();
    const { messages } = (await browser().get('/nest/call')).json<{ messages: string[] }>();
    const expected = METHODS.map(
      (name) =>
        `TypeError: \`session.${name}\` was read from req.session, which has the data and express-session's members. ` +
        "Import the decorator and type from nest-sessions: import { Session } from 'nest-sessions', not from '@nestjs/common'",
    );
    expect(messages).toEqual(expected);
  });

  it("keep data under the name of our methods, and refuse express-session's names and `__proto__`", async () => {
    const { browser } = await openNest();
    const visitor = browser();
    expect((await visitor.get('/nest/collide')).json()).toEqual({
      list: ['milk'],
      save: 'function',
      refused: ['save', 'id', 'cookie'],
    });
    expect(refusal(await visitor.get('/nest/pollute'))).toEqual({
      status: 400,
      code: 'session_data_invalid',
    });
    expect(await dataOf(visitor)).toEqual({ list: ['milk'] });
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  it('store nothing and set no cookie by being read', async () => {
    const { browser, storage } = await openNest();
    expect((await browser().get('/nest/read')).setCookies).toEqual([]);
    expect(storage.calls).toEqual([]);
  });
});
