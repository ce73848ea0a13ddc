import { type ArgumentsHost, Catch, Controller, type ExceptionFilter, Get, Req } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { sessionOf, SkipSession } from 'nest-sessions';
import { ODD_EXITS, type OddExit } from '../support/exits.js';
import { onEachPlatform, type OpenApp } from '../support/open-app.js';
import type { PlatformResponse, TestData } from '../support/routes.js';
import { BASICS, dataOf, door } from '../support/session-routes.js';

@Controller('skipped')
class SkippedController {
  @Get()
  @SkipSession()
  skipped(@Req() request: object): { hasSession: boolean } {
    return { hasSession: sessionOf(request) !== null };
  }
}

/** Wants to keep what was asked for. */
@Catch()
class RememberingFilter implements ExceptionFilter {
  readonly found: boolean[] = [];

  catch(_: unknown, host: ArgumentsHost): void {
    const session = sessionOf<TestData>(host.switchToHttp().getRequest<object>());
    this.found.push(session !== null);
    if (session) session.data.theme = 'dark';
    host.switchToHttp().getResponse<PlatformResponse>().status(404).send('nothing here');
  }
}

/** What became of a change: whether it is stored, its cookie was sent, and that before anything else was. */
const outcome = (saved: boolean, cookie: boolean, before: boolean): Omit<OddExit, 'title'> => {
  const say = (yes: boolean): 'yes' | 'no' => (yes ? 'yes' : 'no');
  return { saved: say(saved), cookie: say(cookie), before: say(before) };
};

async function openOdd(open: OpenApp) {
  const filter = new RememberingFilter();
  const hungUp = door();
  const arrived = door();
  const refusals: unknown[] = [];
  const app = await open({
    controllers: [SkippedController],
    providers: [{ provide: APP_FILTER, useValue: filter }],
    routes: {
      ...BASICS,
      late: ({ session }, response) => {
        response.write('sent, ');
        session.data.theme = 'dark';
        response.end('and saved');
      },
      lateSignIn: async ({ session }, response) => {
        response.write('sent');
        await session.authenticate('grace').catch((error: { code?: string }) => refusals.push(error.code));
        response.end();
      },
      slow: async ({ session }, response) => {
        response.once('close', hungUp.open);
        arrived.open();
        await hungUp.opened;
        session.data.theme = 'dark';
        return 'nobody reads this';
      },
    },
  });
  const ada = app.browser();
  await ada.post('/do/in');
  const isSaved = async () => (await dataOf(ada))['theme'] === 'dark';
  return { ...app, ada, filter, hungUp, arrived, refusals, isSaved };
}

onEachPlatform('rule 4, what becomes of a change', (open) => {
  it(`by ${ODD_EXITS.late.title}`, async () => {
    const { ada, isSaved, log } = await openOdd(open);
    const reply = await ada.get('/raw/late');
    expect(outcome(await isSaved(), reply.setCookies.length > 0, false)).toEqual(outcomeOf(ODD_EXITS.late));
    expect(log.sessionErrors).toEqual([expect.stringContaining('GET /raw/:name')]);
  });

  it(`by ${ODD_EXITS.lateSignIn.title}`, async () => {
    const { ada, store, refusals } = await openOdd(open);
    const reply = await ada.get('/raw/lateSignIn');
    const isStored = (await store.listForUser('grace')).length > 0;
    expect(outcome(isStored, reply.setCookies.length > 0, false)).toEqual(outcomeOf(ODD_EXITS.lateSignIn));
    expect(refusals).toEqual(['session_conflict']);
  });

  it(`by ${ODD_EXITS.hungUp.title}`, async () => {
    const { ada, browser, arrived, isSaved } = await openOdd(open);
    const exchange = await ada.start('GET', '/do/slow');
    await arrived.opened;
    exchange.abort();
    await exchange.reply.catch(() => undefined);
    let tries = 0;
    while (!(await isSaved()) && tries++ < 500) await browser().get('/plain');
    expect(outcome(await isSaved(), false, exchange.hasBegun())).toEqual(outcomeOf(ODD_EXITS.hungUp));
  });

  it(`by ${ODD_EXITS.noRoute.title}`, async () => {
    const { ada, filter, storage, isSaved } = await openOdd(open);
    storage.forget();
    const reply = await ada.get('/there/is/no/such/path');
    expect([reply.status, reply.headers['cache-control'], reply.headers.vary]).toEqual([
      404,
      undefined,
      undefined,
    ]);
    expect(filter.found).toEqual([false]);
    expect(storage.calls).toEqual([]);
    expect(outcome(await isSaved(), reply.setCookies.length > 0, false)).toEqual(
      outcomeOf(ODD_EXITS.noRoute),
    );
  });

  it(`by ${ODD_EXITS.skipped.title}`, async () => {
    const { ada, storage, isSaved } = await openOdd(open);
    storage.forget();
    const reply = await ada.get('/skipped');
    expect(reply.json()).toEqual({ hasSession: false });
    expect(storage.calls).toEqual([]);
    expect(outcome(await isSaved(), reply.setCookies.length > 0, false)).toEqual(
      outcomeOf(ODD_EXITS.skipped),
    );
  });
});

function outcomeOf({ saved, cookie, before }: OddExit): Omit<OddExit, 'title'> {
  return { saved, cookie, before };
}
