import { Controller, Get, HttpException, Inject } from '@nestjs/common';
import { SessionHttpException, SessionStore, SkipSession, TwoTokensException } from 'nest-sessions';
import { FAILURES, openFailing, Recorder } from './support/failures.js';
import { onEachPlatform } from '../../support/open-app.js';
import { type Refusal, refusal } from '../../support/session-routes.js';
import { OUTAGE } from '../../support/storage.js';

describe('an exception', () => {
  it.each(FAILURES)('has the headers that its response needs: $title', ({ error, status }) => {
    const { headers } = new SessionHttpException(new error('a reason'));
    expect(headers).toEqual(status === 503 ? { 'Retry-After': '5' } : {});
  });

  it('of two tokens says how to authenticate', () => {
    expect(new TwoTokensException().headers).toEqual({
      'WWW-Authenticate': 'Bearer realm="session", error="invalid_request"',
    });
  });
});

onEachPlatform('an error of sessions', (open) => {
  it.each(FAILURES)('leaves with its status and its code: $title', async (failure) => {
    const { ada } = await openFailing(open, failure);
    const reply = await ada.post('/do/fail');
    expect(refusal(reply)).toEqual({ status: failure.status, code: failure.code });
    expect(reply.json<Refusal>().statusCode).toBe(failure.status);
    expect(reply.headers['retry-after']).toBe(failure.status === 503 ? '5' : undefined);
  });

  it.each(FAILURES)('is an HttpException with the SessionError as its cause: $title', async (failure) => {
    const recorder = new Recorder();
    const { ada } = await openFailing(open, failure, recorder);
    await ada.post('/do/fail');
    expect(recorder.caught).toHaveLength(1);
    const [error] = recorder.caught;
    expect(error).toBeInstanceOf(HttpException);
    expect(error).toMatchObject({ code: failure.code });
    const { cause } = error as HttpException;
    expect((cause as Error).constructor).toBe(failure.error);
    expect(cause).toMatchObject({ code: failure.code });
  });

  it.each(FAILURES)(
    'is an instance of its class, and of no other, for a handler: $title',
    async (failure) => {
      const { ada, caught } = await openFailing(open, failure);
      await ada.post('/do/caught');
      expect(caught).toEqual([{ isSessionError: true, classes: [failure.error.name] }]);
    },
  );

  it.each(FAILURES)('tells the client no ids, tokens, hosts, files or options: $title', async (failure) => {
    const { app, ada } = await openFailing(open, failure);
    const token = (await ada.cookie()) ?? 'no cookie';
    const { text } = await ada.post('/do/fail');
    const secrets = [
      token,
      token.slice(0, 26),
      'ada',
      'bob',
      OUTAGE,
      'db-7',
      '5432',
      'sessions_rw',
      'node_modules',
    ];
    for (const secret of secrets) expect(text).not.toContain(secret);
    expect(text).not.toMatch(/maxPerUser|maxDataBytes|onLimit|\.[jt]s\b|\/src\/|stack/);
    for (const line of app.log.lines) expect(line.message).not.toContain(token.slice(26));
  });
});

@Controller('skipped')
@SkipSession()
class SkippedController {
  constructor(@Inject(SessionStore) private readonly store: SessionStore) {}

  @Get('read')
  async read(): Promise<object> {
    return { found: (await this.store.read('01J00000000000000000000000')) !== null };
  }

  @Get('bad')
  async bad(): Promise<unknown> {
    return this.store.read(7n as unknown as string);
  }
}

onEachPlatform('an error of SessionStore on a `@SkipSession()` route', (open) => {
  it('leaves with its status, its code and Retry-After too', async () => {
    const { browser, storage } = await open({ controllers: [SkippedController] });
    expect((await browser().get('/skipped/read')).json()).toEqual({ found: false });
    storage.goDown();
    const reply = await browser().get('/skipped/read');
    expect(refusal(reply)).toEqual({ status: 503, code: 'session_store_unavailable' });
    expect(reply.headers['retry-after']).toBe('5');
    expect(reply.text).not.toContain('db-7');
  });
});

onEachPlatform('the log, and an error of sessions', (open) => {
  it('names route and reason of a 500 once, since the client is not told', async () => {
    const { browser, log } = await open({
      controllers: [SkippedController],
      routes: { bad: ({ session }) => void (session.data['total'] = { amount: 1n }) },
    });
    expect(refusal(await browser().post('/do/bad'))).toEqual({ status: 500, code: 'session_data_invalid' });
    expect(log.sessionErrors).toEqual([
      expect.stringMatching(/^POST \/do\/:name: SessionDataError: .*`data\.total\.amount` is a bigint/),
    ]);
    expect((await browser().get('/skipped/bad')).status).toBe(500);
    expect(log.sessionErrors.slice(1)).toEqual([
      'GET /skipped/bad: SessionDataError: Invalid session id: expected a string, got bigint',
    ]);
  });

  it('is left alone by what a client causes: gone sessions, limits, sizes', async () => {
    for (const failure of FAILURES.filter(({ status }) => status < 500)) {
      const { app, ada } = await openFailing(open, failure);
      await ada.post('/do/fail');
      expect(app.log.sessionErrors).toEqual([]);
    }
  });

  it('has the words of the driver once, and the exception that filters see has them only in its cause', async () => {
    const recorder = new Recorder();
    const [failure = FAILURES[0]] = FAILURES;
    if (failure === undefined) throw new Error('There are no failures');
    const { app, ada } = await openFailing(open, failure, recorder);
    await ada.post('/do/fail');
    const [error] = recorder.caught as [HttpException];
    expect(error.message).toBe('Sessions are unavailable at the moment. Try again shortly');
    expect(String(error)).not.toContain('db-7');
    expect((error.cause as Error).message).toContain(OUTAGE);
    expect(app.log.sessionErrors.filter((line) => line.includes(OUTAGE))).toHaveLength(1);
  });
});
