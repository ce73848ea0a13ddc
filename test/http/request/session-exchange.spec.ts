import { HttpException, InternalServerErrorException } from '@nestjs/common';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import {
  SessionConflictError,
  SessionDataError,
  SessionStoreError,
  SessionTooLargeError,
} from '../../../src/core/session-errors.js';
import type { SessionToken } from '../../../src/core/session-token.js';
import { resolveHttpOptions } from '../../../src/http/http-options.js';
import { SessionExchange } from '../../../src/http/request/session-exchange.js';
import { nextTurn, openRequests } from '../session/support/open-requests.js';

/** A response whose bytes go nowhere. */
class DeafResponse extends ServerResponse {
  body = '';
  #sent: () => void = () => undefined;
  /** Resolves when it has been ended, and nothing holds it. */
  readonly sent = new Promise<void>((resolve) => (this.#sent = resolve));

  constructor() {
    super(new IncomingMessage(new Socket()));
  }

  override end(chunk?: unknown): this {
    this.body = chunk instanceof Buffer || typeof chunk === 'string' ? chunk.toString() : '';
    super.end(chunk);
    this.#sent();
    return this;
  }
}

/** One request of ada, whose session holds `{ n: 1 }`, or of a visitor. */
async function openExchange({ isVisitor = false, hasLeft = false } = {}) {
  const requests = openRequests({ rotation: { every: '15m', grace: '30s' } });
  const { store, backend } = requests;
  const errors: string[] = [];
  const runtime = {
    sessions: store.manager,
    options: resolveHttpOptions({}),
    logger: { warn: () => undefined, error: (message: string) => void errors.push(message) },
  };
  const token = await requests.signedIn({ n: 1 });
  const begin = async (presented: SessionToken | null) => {
    const response = new DeafResponse();
    if (hasLeft) response.flushHeaders();
    const headers = presented === null ? {} : { cookie: `__Host-sid=${presented.reveal()}` };
    const request = { method: 'GET', url: '/cart', ip: '192.0.2.1', headers };
    const opening = SessionExchange.open(runtime, { request, response, countsAsTouch: true });
    return { request, response, opening, exchange: await opening };
  };
  const begun = await begin(isVisitor ? null : token);
  backend.calls.length = 0;
  return { ...requests, ...begun, begin, token, errors, stored: () => requests.dataOf(token.sessionId) };
}

describe('an exchange', () => {
  it('is there at once without a token, and when its session has been loaded with one', async () => {
    const visitor = await openExchange({ isVisitor: true });
    expect(visitor.opening).toBe(visitor.exchange);
    expect(visitor.exchange.session.id).toBeNull();
    const { opening, exchange, token } = await openExchange();
    expect(opening).toBeInstanceOf(Promise);
    expect(exchange.session.id).toBe(token.sessionId);
  });

  it('can set a cookie unless its response had left before', async () => {
    const { exchange } = await openExchange({ isVisitor: true });
    await exchange.session.authenticate('ada');
    const late = await openExchange({ isVisitor: true, hasLeft: true });
    await expect(late.exchange.session.authenticate('ada')).rejects.toThrow(SessionConflictError);
  });

  it('goes by the request that the platform made for the route, if that is another one', async () => {
    const { exchange, request } = await openExchange();
    const { facts } = exchange.state;
    exchange.route(request, false);
    expect(exchange.state.facts).toBe(facts);
    exchange.route({ ...request, ip: '192.0.2.2' }, false);
    expect(exchange.state.facts.ip).toBe('192.0.2.2');
  });
});

describe('the end of a response', () => {
  it('is not held up where there is nothing to do', async () => {
    const { exchange, response, backend } = await openExchange();
    expect(exchange.session.data).toEqual({ n: 1 });
    response.end('done');
    expect([response.headersSent, response.body, backend.calls]).toEqual([true, 'done', []]);
  });

  it('waits until what was changed is saved', async () => {
    const { exchange, response, stored } = await openExchange();
    exchange.session.data['a'] = 2;
    response.end('done');
    expect(response.body).toBe('');
    await response.sent;
    expect([response.body, await stored()]).toEqual(['done', { n: 1, a: 2 }]);
  });

  it('waits for a new token where one is due, and carries it', async () => {
    const { begin, clock, token } = await openExchange();
    clock.advance('15m');
    const { response } = await begin(token);
    response.end('done');
    expect(response.body).toBe('');
    await response.sent;
    expect(String(response.getHeader('Set-Cookie'))).toMatch(/^__Host-sid=\w+/);
  });

  it('waits for three rounds of saving at most: some data never is what was stored', async () => {
    const { exchange, response, backend } = await openExchange();
    let n = 0;
    exchange.session.data['clock'] = { toJSON: () => n++ } as never;
    response.end('done');
    await response.sent;
    expect([response.body, backend.count('save')]).toEqual(['done', 3]);
  });

  it('is a refusal instead where saving fails: of the failure, or of a fault that nobody foresaw', async () => {
    const foreseen = await openExchange();
    foreseen.exchange.session.data['a'] = 'x'.repeat(20_000) as never;
    foreseen.response.end('done');
    await foreseen.response.sent;
    expect(foreseen.response.statusCode).toBe(413);
    expect(JSON.parse(foreseen.response.body)).toMatchObject({ code: 'session_too_large' });
    expect(foreseen.exchange.state.leave().failure).toBeInstanceOf(SessionTooLargeError);
    expect(foreseen.errors).toEqual([]);
    const { exchange, response, errors } = await openExchange();
    exchange.state.runBeforeSave({ isDue: true, run: () => Promise.reject(new Error('bug')) });
    response.end('done');
    await response.sent;
    expect([response.statusCode, JSON.parse(response.body)]).toEqual([
      500,
      { statusCode: 500, message: 'Internal server error' },
    ]);
    expect(errors).toEqual([
      expect.stringMatching(/^GET \/cart: the response could not be sent: Error: bug/),
    ]);
  });
});

describe('saving before the answer', () => {
  it('saves, and throws what fails, once: what cannot be saved is forgotten', async () => {
    const { exchange, response, stored, errors } = await openExchange();
    exchange.session.data['a'] = 2;
    await exchange.flush();
    expect(await stored()).toEqual({ n: 1, a: 2 });
    exchange.session.data['a'] = 1n as never;
    const failure = await exchange.flush().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HttpException);
    expect(failure).toMatchObject({ code: 'session_data_invalid' });
    expect(exchange.state.leave().failure).toBeInstanceOf(SessionDataError);
    expect(exchange.session.data).toEqual({ n: 1, a: 2 });
    response.statusCode = 400;
    response.end('no');
    expect([response.body, errors]).toEqual(['no', []]);
  });

  it('does not wait for an answer that has begun and waits for storage: that saves all', async () => {
    const { exchange, response, backend, stored } = await openExchange();
    let release = (): void => undefined;
    backend.around = async (method, call) => {
      if (method === 'save') await new Promise<void>((resolve) => (release = resolve));
      return call();
    };
    exchange.session.data['a'] = 2;
    response.end('done');
    await exchange.flush();
    expect(response.body).toBe('');
    await nextTurn();
    release();
    await response.sent;
    expect([response.body, await stored()]).toEqual(['done', { n: 1, a: 2 }]);
  });

  it('fails in place of an answer that began meanwhile, and not beside it', async () => {
    const { exchange, response, backend } = await openExchange();
    let fail = (): void => undefined;
    backend.around = () => new Promise((_, reject) => (fail = () => reject(new Error('down'))));
    exchange.session.data['a'] = 2;
    const flushing = exchange.flush();
    await nextTurn();
    response.end('done');
    fail();
    await flushing;
    await response.sent;
    expect(response.statusCode).toBe(503);
  });

  it('throws nothing once the response has left: the log hears of it', async () => {
    const { exchange, response, errors } = await openExchange();
    response.end('done');
    exchange.session.data['a'] = 1n as never;
    await exchange.flush();
    expect(errors).toEqual([expect.stringContaining('could not be saved: SessionDataError')]);
  });
});

describe('the failure of a request', () => {
  it.each<[string, boolean, unknown]>([
    ['an error of the store', true, new SessionStoreError('down')],
    ['an error of the app', false, new Error('bug')],
    [
      'an answer of the app that names one',
      false,
      new InternalServerErrorException('no', { cause: new SessionStoreError('down') }),
    ],
  ])('is %s: %s', async (_, isNoted, error) => {
    const { exchange } = await openExchange();
    exchange.noteFailure(error);
    expect(exchange.state.leave().failure !== null).toBe(isNoted);
  });

  it.each<[status: number, hasFailed: boolean, keepsLocation: boolean, logged: number]>([
    [302, false, true, 0],
    [404, false, true, 0],
    [500, false, true, 0],
    [302, true, true, 0],
    [399, true, true, 0],
    [400, true, false, 0],
    [500, true, false, 1],
  ])(
    'answered with %i (failed: %s) leaves where to go next: %s, and lines in the log: %i',
    async (status, hasFailed, keepsLocation, logged) => {
      const { exchange, response, errors } = await openExchange();
      if (hasFailed) exchange.noteFailure(new SessionDataError('no'));
      response.writeHead(status, { Location: '/next' });
      expect([response.hasHeader('Location'), errors.length]).toEqual([keepsLocation, logged]);
    },
  );
});

describe('a client that goes away', () => {
  it('before the response has begun can be signed in all the same', async () => {
    const { exchange, response } = await openExchange({ isVisitor: true });
    response.emit('close');
    await exchange.session.authenticate('ada');
    expect(exchange.session.userId).toBe('ada');
  });

  it('behind a response that left by another way leaves changes that are saved at once', async () => {
    const { exchange, response, stored } = await openExchange();
    ServerResponse.prototype.writeHead.call(response, 200);
    ServerResponse.prototype.flushHeaders.call(response);
    exchange.session.data['a'] = 2;
    response.emit('close');
    await nextTurn();
    expect(await stored()).toEqual({ n: 1, a: 2 });
  });
});
