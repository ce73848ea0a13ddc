import { Controller, Get, Param, Post } from '@nestjs/common';
import { Session } from 'nest-sessions';
import { signIn } from 'nest-sessions/testing';
import { type MailServer, openMailServer } from './mail-server.js';
import { cookieOf, openPage, type PageApp, type Running } from './page-app.js';

const ADA = { email: 'ada@example.com', password: 'correct horse battery' };
let page: PageApp;

beforeEach(() => {
  page = openPage('docs/session.md', { goesOnWith: 'docs/sign-in.md' });
});
afterEach(() => page.close());

async function started(file: string, name: string): Promise<Running> {
  return page.start({
    controllers: [await page.recipe(file, name)],
    providers: [await page.recipe('mailer.ts', 'Mailer')],
  });
}

describe('the cart', () => {
  it('is changed, kept at the sign-in, and gone after the sign-out', async () => {
    const running = await started('cart.controller.ts', 'CartController');
    const { get, post } = running;
    await get('/cart').expect(200, []);
    const visitor = cookieOf(await post('/cart', { sku: 'tea', count: 1 }).expect(201));
    await post('/cart', { sku: 'tea', count: 2 }, visitor).expect(201, [{ sku: 'tea', count: 3 }]);
    await post('/cart', { sku: 'cup', count: 1 }, visitor).expect(201);
    await running.put('/cart/cup', { count: 4 }, visitor).expect(200);
    await running.delete('/cart/tea', visitor).expect(200, [{ sku: 'cup', count: 4 }]);

    const user = cookieOf(await post('/sign-up', ADA, visitor).expect(201));
    expect(user).not.toBe(visitor);
    await get('/cart', user).expect(200, [{ sku: 'cup', count: 4 }]);
    await get('/cart', visitor).expect(200, []);
    await post('/logout', {}, user).expect(204);
    await get('/cart', user).expect(200, []);
  });

  it('takes nothing that is not an item', async () => {
    const { get, post, put } = await started('cart.controller.ts', 'CartController');
    const cookie = cookieOf(await post('/cart', { sku: 'tea', count: 1 }).expect(201));
    for (const body of [
      {},
      [],
      { sku: 'tea' },
      { sku: 'tea', count: '1' },
      { sku: 'tea', count: -1 },
      { sku: 'tea', count: 0.5 },
      { sku: { $ne: '' }, count: 1 },
      { count: 1 },
    ]) {
      expect([body, (await post('/cart', body, cookie)).status]).toEqual([body, 400]);
      const isItem = 'count' in body && body.count === 1;
      if (!isItem) expect([body, (await put('/cart/tea', body, cookie)).status]).toEqual([body, 400]);
    }
    await get('/cart', cookie).expect(200, [{ sku: 'tea', count: 1 }]);
  });

  it('is one of several that requests without a cookie begin at the same time', async () => {
    const { get, post } = await started('cart.controller.ts', 'CartController');
    const add = (sku: string) => post('/cart', { sku, count: 1 }).expect(201);
    const cookies = (await Promise.all(['tea', 'cup', 'pot'].map(add))).map(cookieOf);
    expect(new Set(cookies).size).toBe(3);
    for (const cookie of cookies) expect((await get('/cart', cookie)).body).toHaveLength(1);
  });

  it('loses nothing to requests at the same time', async () => {
    const { get, post } = await started('cart.controller.ts', 'CartController');
    const cookie = cookieOf(await post('/cart', { sku: 'tea', count: 1 }));
    await Promise.all(Array.from({ length: 5 }, () => post('/cart', { sku: 'tea', count: 1 }, cookie)));
    await get('/cart', cookie).expect(200, [{ sku: 'tea', count: 6 }]);
  });
});

describe('flash messages', () => {
  it('show on the next page, once', async () => {
    const { get, post } = await started('order.controller.ts', 'OrderController');
    const cookie = cookieOf(await post('/orders').expect(303));
    const messages = [{ kind: 'success', text: 'Your order is on its way' }];
    await get('/', cookie).expect(200, { messages });
    await get('/', cookie).expect(200, { messages: [] });
  });

  it('are gone with a session that ends after them, and there when they come after its end', async () => {
    @Controller('goodbye')
    class GoodbyeController {
      @Post(':when')
      async leave(@Param('when') when: string, @Session() session: Session) {
        if (when === 'before') session.flash('info', 'Goodbye');
        await session.logout();
        if (when === 'after') session.flash('info', 'Goodbye');
      }
    }
    const { app, get, post } = await page.start({
      controllers: [await page.recipe('order.controller.ts', 'OrderController'), GoodbyeController],
      providers: [await page.recipe('mailer.ts', 'Mailer')],
    });
    for (const [when, messages] of [
      ['before', []],
      ['after', [{ kind: 'info', text: 'Goodbye' }]],
    ] as const) {
      const out = await post(`/goodbye/${when}`, {}, (await signIn(app, 7)).cookie).expect(201);
      await get('/', cookieOf(out)).expect(200, { messages });
    }
  });

  it('show in both of two requests that read them at the same moment', async () => {
    let arrived = 0;
    let goOn = (): void => undefined;
    const bothHaveRead = new Promise<void>((resolve) => (goOn = resolve));
    @Controller('together')
    class TogetherController {
      @Get()
      async show(@Session() session: Session) {
        const messages = session.flashes();
        if (++arrived === 2) goOn();
        await bothHaveRead;
        return { messages };
      }
    }
    const { get, post } = await page.start({
      controllers: [await page.recipe('order.controller.ts', 'OrderController'), TogetherController],
      providers: [await page.recipe('mailer.ts', 'Mailer')],
    });
    const cookie = cookieOf(await post('/orders').expect(303));
    const messages = [{ kind: 'success', text: 'Your order is on its way' }];
    await Promise.all([1, 2].map(() => get('/together', cookie).expect(200, { messages })));
    await get('/', cookie).expect(200, { messages: [] });
  });
});

describe('something that is used once', () => {
  it('is given to one of several requests', async () => {
    const { app, post } = await started('voucher.controller.ts', 'VoucherController');
    const { cookie } = await signIn(app, 7, { data: { voucher: 'TEA' } });
    const answers = await Promise.all(Array.from({ length: 5 }, () => post('/voucher', {}, cookie)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([201, 409, 409, 409, 409]);
  });
});

describe('a change that is saved now', () => {
  let mails: MailServer;

  beforeEach(async () => {
    mails = await openMailServer();
  });
  afterEach(() => mails.close());

  it('is stored before the handler goes on', async () => {
    const { app, post } = await started('checkout.controller.ts', 'CheckoutController');
    const { cookie } = await signIn(app, 7, { data: { cart: [{ sku: 'tea', count: 1 }] } });
    await post('/checkout', {}, cookie).expect(201, { ordered: 1 });
    expect(await mails.next()).toContain('"sku":"tea"');
    await post('/checkout', {}, cookie).expect(201, { ordered: 0 });
  });
});
