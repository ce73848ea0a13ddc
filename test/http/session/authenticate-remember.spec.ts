import { Body, Controller, HttpCode, Post, ValidationPipe } from '@nestjs/common';
import { IsOptional, IsString } from 'class-validator';
import { Session } from 'nest-sessions';
import { onEachPlatform, type TestApp } from '../../support/open-app.js';
import { BASICS, type Refusal } from '../../support/session-routes.js';
import type { Routes } from '../../support/routes.js';
import { rowsOf } from '../../support/storage.js';

const DAY = 24 * 3_600_000;

/** A recipe of the documentation: what the form sends is passed on. */
const routes: Routes = {
  ...BASICS,
  'log-in': ({ session, body }) => session.authenticate('ada', { remember: body['remember'] }),
  unasked: ({ session }) => session.authenticate('ada'),
};

class LogInDto {
  @IsString()
  readonly name: string = '';
  // As `boolean` alone, a pipe with `enableImplicitConversion` makes true of the text 'off'.
  @IsOptional()
  readonly remember?: boolean | string;
}

@Controller('log-in')
class LogInController {
  @Post()
  @HttpCode(200)
  logIn(@Body() body: LogInDto, @Session() session: Session): Promise<void> {
    return session.authenticate(body.name, { remember: body.remember });
  }
}

/** Lifetimes that are told apart: 1 day and 2 without, 5 and 10 with `remember`. */
const LIFETIMES = { ttl: '1d', absoluteTtl: '2d', remember: { ttl: '5d', absoluteTtl: '10d' } };

type Sent = URLSearchParams | Readonly<Record<string, unknown>>;

/** A form as a browser sends it, or JSON as a script does. */
async function post({ port }: TestApp, path: string, sent: Sent) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    ...(sent instanceof URLSearchParams
      ? { body: sent }
      : { body: JSON.stringify(sent), headers: { 'content-type': 'application/json' } }),
  });
  const [cookie] = response.headers.getSetCookie();
  return { status: response.status, text: await response.text(), cookie };
}

/** How a sign-in was remembered: by the cookie in days, `'until closed'`, and by the row's two lifetimes in days. */
async function rememberedFor(app: TestApp, path: string, sent: Sent): Promise<unknown[]> {
  const { status, cookie = '' } = await post(app, path, sent);
  const maxAge = /; Max-Age=(\d+);/.exec(cookie)?.[1];
  const row = rowsOf(app.storage).at(-1);
  return [
    status,
    maxAge === undefined ? 'until closed' : (Number(maxAge) * 1000) / DAY,
    (row?.idleTtl ?? 0) / DAY,
    ((row?.absoluteExpiresAt ?? 0) - app.clock.now()) / DAY,
  ];
}

const REMEMBERED = [200, 10, 5, 10];
const FORGOTTEN = [200, 'until closed', 1, 2];
const form = (fields: string): URLSearchParams => new URLSearchParams(fields);
const shown = (sent: Sent): string =>
  sent instanceof URLSearchParams ? sent.toString() : JSON.stringify(sent);

onEachPlatform('the checkbox "remember me", passed on as it comes', (open) => {
  it.each<[Sent]>([
    [form('name=ada&remember=on')],
    [form('remember=true')],
    [form('remember=1')],
    [{ remember: true }],
    [{ remember: 'on' }],
    [{ remember: 'true' }],
    [{ remember: '1' }],
  ])('keeps the cookie when the browser is closed, with the lifetimes of `remember`: %#', async (sent) => {
    expect([
      shown(sent),
      await rememberedFor(await open({ routes, options: LIFETIMES }), '/do/log-in', sent),
    ]).toEqual([shown(sent), REMEMBERED]);
  });

  it.each<[Sent]>([
    [form('name=ada')], // what a browser sends of a checkbox that is not ticked
    [form('remember=')],
    [form('remember=off')],
    [form('remember=false')],
    [form('remember=0')],
    [{}],
    [{ remember: false }],
    [{ remember: null }],
    [{ remember: '' }],
    [{ remember: 'off' }],
    [{ remember: 'false' }],
    [{ remember: '0' }],
  ])('ends with the browser, with the usual lifetimes, where nobody asked for more: %#', async (sent) => {
    for (const persistent of [true, false]) {
      const app = await open({ routes, options: { ...LIFETIMES, cookie: { persistent } } });
      expect([shown(sent), await rememberedFor(app, '/do/log-in', sent)]).toEqual([shown(sent), FORGOTTEN]);
    }
  });

  it.each<[Sent]>([
    [form('remember=yes')],
    [form('remember=On')],
    [form('remember=+on')],
    [form('remember=0&remember=1')], // a hidden field beside the checkbox
    [{ remember: 1 }],
    [{ remember: 0 }],
    [{ remember: ['on'] }],
    [{ remember: {} }],
  ])('is the client’s error as anything else, and nobody is signed in: %#', async (sent) => {
    const app = await open({ routes, options: LIFETIMES });
    const { status, text, cookie } = await post(app, '/do/log-in', sent);
    const { code, message } = JSON.parse(text) as Refusal;
    expect([shown(sent), status, code, message]).toEqual([
      shown(sent),
      400,
      'session_data_invalid',
      'What was sent cannot be used: see `remember`',
    ]);
    expect([cookie, rowsOf(app.storage), app.log.lines]).toEqual([undefined, [], []]);
  });

  it.each<[Sent, unknown[]]>([
    [form('name=ada&remember=on'), REMEMBERED],
    [form('name=ada&remember=off'), FORGOTTEN],
    [form('name=ada'), FORGOTTEN],
    [{ name: 'ada', remember: false }, FORGOTTEN],
  ])('passes a DTO and a pipe that converts what it can: %#', async (sent, expected) => {
    const app = await open({
      options: LIFETIMES,
      controllers: [LogInController],
      prepare: (made) =>
        made.useGlobalPipes(
          new ValidationPipe({
            whitelist: true,
            forbidNonWhitelisted: true,
            transform: true,
            transformOptions: { enableImplicitConversion: true },
          }),
        ),
    });
    expect([shown(sent), await rememberedFor(app, '/log-in', sent)]).toEqual([shown(sent), expected]);
  });

  it('leaves it to `cookie.persistent` where the app does not ask', async () => {
    const kept = await open({ routes, options: LIFETIMES });
    expect(await rememberedFor(kept, '/do/unasked', form('remember=on'))).toEqual([200, 2, 1, 2]);
    const closed = await open({ routes, options: { ...LIFETIMES, cookie: { persistent: false } } });
    expect(await rememberedFor(closed, '/do/unasked', form('remember=on'))).toEqual(FORGOTTEN);
  });
});
