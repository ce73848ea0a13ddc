import { HttpException } from '@nestjs/common';
import {
  SessionConflictError,
  SessionDataError,
  SessionError,
  SessionGoneError,
} from '../../../src/core/session-errors.js';
import { CrossSiteRequestException } from '../../../src/http/errors/exceptions.js';
import type { RequestSessionState } from '../../../src/http/session/request-session-state.js';
import { nextTurn, openRequests, type RequestKind } from './support/open-requests.js';

/** A request with a session that holds `{ n: 1 }`. */
async function bringOne(kind?: RequestKind) {
  const requests = openRequests();
  const token = await requests.signedIn({ n: 1 });
  const state = await requests.bring(token, kind);
  requests.backend.calls.length = 0;
  return { ...requests, token, state, stored: () => requests.dataOf(token.sessionId) };
}

const FLASH = { id: '1', kind: 'info', text: 'saved' };

describe('saving', () => {
  it('stores what has changed with one write, says so, and has nothing left to save', async () => {
    const { state, backend, stored } = await bringOne();
    state.copy.data['a'] = 2;
    expect(await state.save()).toBe(true);
    expect(backend.calls).toEqual(['save']);
    expect(await stored()).toEqual({ n: 1, a: 2 });
    expect(state.status).toBe('clean');
    expect(state.stored?.content.data).toEqual({ n: 1, a: 2 });
  });

  it('stores nothing, and says so, where nothing has changed', async () => {
    const { state, backend, visit } = await bringOne();
    expect(state.copy.data).toEqual({ n: 1 });
    expect(await state.save()).toBe(false);
    expect(await visit().save()).toBe(false);
    expect(backend.calls).toEqual([]);
  });

  it('stores a message without data, and data without a message', async () => {
    const { state, bring, token } = await bringOne();
    state.copy.addFlash(FLASH);
    expect(await state.save()).toBe(true);
    const next = await bring(token);
    next.copy.data['n'] = 2;
    expect(await next.save()).toBe(true);
    const last = await bring(token);
    expect(last.copy.readFlashes()).toEqual([{ kind: 'info', text: 'saved' }]);
    expect(last.copy.data).toEqual({ n: 2 });
    expect(await last.save()).toBe(true);
    expect((await bring(token)).copy.readFlashes()).toEqual([]);
  });

  it('merges with what other requests stored meanwhile', async () => {
    const { state, bring, token, stored } = await bringOne();
    const other = await bring(token);
    other.copy.data['theirs'] = 1;
    await other.save();
    state.copy.data['mine'] = 1;
    await state.save();
    expect(await stored()).toEqual({ n: 1, theirs: 1, mine: 1 });
    expect(state.copy.data).toEqual({ n: 1, theirs: 1, mine: 1 });
  });

  it('replaces data by what it was when it was read, even if others have changed it meanwhile', async () => {
    const { state, bring, token, stored } = await bringOne();
    const other = await bring(token);
    other.copy.data['n'] = 2;
    await other.save();
    state.copy.replace({ n: 1 });
    expect(await state.save()).toBe(true);
    expect(await stored()).toEqual({ n: 1 });
  });

  it('writes nothing where that is what is stored already', async () => {
    const { state, backend } = await bringOne();
    state.copy.replace({ n: 1 });
    expect(await state.save()).toBe(true);
    expect(backend.calls).toEqual(['find']);
    expect(state.status).toBe('clean');
  });

  it('asks whether the session may have the data, of what is stored and of what is new', async () => {
    const checked: unknown[] = [];
    const { state } = await bringOne({ checkData: (...args) => void checked.push(args) });
    state.copy.data['a'] = 2;
    await state.save();
    await state.update((data) => void (data['b'] = 3));
    expect(checked).toEqual([
      [{ n: 1 }, { a: 2 }, 'ada'],
      [{ n: 1, a: 2 }, { n: 1, a: 2, b: 3 }, 'ada'],
    ]);
  });

  it('fails where the session has ended, and brings it back never', async () => {
    const { state, store, token, stored } = await bringOne();
    await store.delete(token.sessionId);
    state.copy.data['a'] = 2;
    await expect(state.save()).rejects.toThrow(SessionGoneError);
    expect(await stored()).toBeNull();
  });
});

describe('an update', () => {
  it('makes of what is stored what its function says, and resolves to what that returns', async () => {
    const { state, bring, token, stored } = await bringOne();
    const other = await bring(token);
    other.copy.data['n'] = 5;
    await other.save();
    state.copy.data['unsaved'] = true;
    expect(await state.update((data) => (data['n'] as number) + (data['n'] = 6))).toBe(11);
    expect(await stored()).toEqual({ n: 6, unsaved: true });
    expect(state.copy.data).toEqual({ n: 6, unsaved: true });
    expect(state.status).toBe('clean');
  });

  it('writes nothing where its function changes nothing', async () => {
    const { state, backend } = await bringOne();
    expect(await state.update(() => 'seen')).toBe('seen');
    expect(backend.calls).toEqual(['find']);
  });

  it('of a visitor begins a session with what its function made, and what was there before', async () => {
    const checked: unknown[] = [];
    const { visit, dataOf } = openRequests();
    const state = visit({ checkData: (_before, next, userId) => void checked.push([next, userId]) });
    state.copy.addFlash(FLASH);
    state.copy.data['a'] = 1;
    expect(await state.update((data) => (data['b'] = 2))).toBe(2);
    expect(await dataOf(state.stored?.row.id ?? '')).toEqual({ a: 1, b: 2 });
    expect(state.stored?.content.flashes).toEqual([FLASH]);
    expect(state.copy.data).toEqual({ a: 1, b: 2 });
    expect(state.status).toBe('clean');
    expect(checked).toEqual([
      [{ a: 1, b: 2 }, null],
      [{ a: 1, b: 2 }, null],
    ]);
  });

  it('of a visitor begins none where its function changes nothing', async () => {
    const { visit, backend } = openRequests();
    const state = visit();
    expect(await state.update(() => 'seen')).toBe('seen');
    expect([state.stored, state.cookie, backend.calls]).toEqual([null, null, []]);
  });

  it('that awaits another step of its session is told so, and is not waited for', async () => {
    const { visit } = openRequests({ timeout: '20ms' });
    const state = visit();
    await expect(state.update(() => state.save())).rejects.toThrow(
      new SessionConflictError(
        'Another step of the same request kept its session for 20 ms (the `timeout` option). Nothing was changed: ' +
          'await no method of the session inside `update(fn)`, change its `data` argument instead',
      ),
    );
  });
});

describe('reading the session again', () => {
  it('shows what others have stored, and forgets what was not saved', async () => {
    const { state, bring, token } = await bringOne();
    const other = await bring(token);
    other.copy.data['n'] = 2;
    await other.save();
    state.copy.data['unsaved'] = 1;
    await state.reload();
    expect(state.copy.data).toEqual({ n: 2 });
    expect(state.stored?.content.data).toEqual({ n: 2 });
  });

  it('of a visitor forgets what was not saved, and asks nobody', async () => {
    const { visit, backend } = openRequests();
    const state = visit();
    state.copy.data['unsaved'] = 1;
    await state.reload();
    expect([state.copy.data, backend.calls]).toEqual([{}, []]);
  });
});

describe('before the response leaves', () => {
  it.each([true, false])('a step is run, where it is due (%s), and then all is saved', async (isDue) => {
    const { state, stored } = await bringOne();
    const step = { isDue, run: async () => void (state.copy.data['step'] = 1) };
    state.runBeforeSave(step);
    expect(state.beforeSave).toBe(step);
    state.copy.data['a'] = 2;
    await state.flush();
    expect(await stored()).toEqual({ n: 1, a: 2, ...(isDue && { step: 1 }) });
  });

  it.each([true, false])('that holds beside a method that the app awaited too (due: %s)', async (isDue) => {
    const { state, stored } = await bringOne();
    await state.handOut(() => state.update((data) => void (data['n'] = 2)));
    if (isDue) state.runBeforeSave({ isDue, run: async () => void (state.copy.data['step'] = 1) });
    state.copy.data['a'] = 2;
    await state.flush();
    expect(await stored()).toEqual({ n: 2, a: 2, ...(isDue && { step: 1 }) });
  });

  it('what nobody awaits is waited for, and its changes are saved', async () => {
    const { state, stored } = await bringOne();
    void state.handOut(async () => {
      await nextTurn();
      state.copy.data['late'] = 1;
    });
    await state.flush();
    expect(await stored()).toEqual({ n: 1, late: 1 });
  });

  it('a failure that nobody handles is that of the response, behind what else is saved', async () => {
    const { state, stored, log } = await bringOne();
    state.copy.data['a'] = 2;
    void state.handOut(() => Promise.reject(new SessionDataError('first')));
    void state.handOut(() => Promise.reject(new SessionDataError('second')));
    const failure = await state.flush().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HttpException);
    expect(failure).toMatchObject({ message: 'first' });
    expect(await stored()).toEqual({ n: 1, a: 2 });
    expect(log).toEqual([
      expect.stringMatching(
        /^error: a step of the session that nobody awaits failed beside another one, which is answered: .*second$/,
      ),
    ]);
  });

  it('nothing else is tried where that failure is an outage', async () => {
    const { state, backend } = await bringOne();
    const ran: string[] = [];
    state.runBeforeSave({ isDue: true, run: async () => void ran.push('step') });
    backend.around = () => Promise.reject(new Error('down'));
    void state.handOut(() => state.update((data) => void (data['n'] = 2)));
    state.copy.data['a'] = 2;
    await expect(state.flush()).rejects.toThrow('Sessions are unavailable at the moment');
    expect([ran, backend.calls]).toEqual([[], ['find']]);
    expect(state.status).toBe('changed');
  });

  it('a failure that the app handles is the app’s', async () => {
    const { state, stored, log } = await bringOne();
    await state.handOut(() => Promise.reject(new SessionDataError('no'))).catch(() => undefined);
    state.copy.data['a'] = 2;
    await state.flush();
    expect(await stored()).toEqual({ n: 1, a: 2 });
    expect(log).toEqual([]);
  });

  it('without a log there is no response, so that a failure is left to whoever called', async () => {
    const { state, stored } = await bringOne({ log: null });
    expect(await state.handOut(() => Promise.resolve(1))).toBe(1);
    const failed = state.handOut(() => Promise.reject(new SessionDataError('no')));
    state.copy.data['a'] = 2;
    expect(state.status).toBe('changed');
    await expect(failed).rejects.toBeInstanceOf(SessionError);
    await state.flush();
    expect(await stored()).toEqual({ n: 1, a: 2 });
  });
});

describe('once the response has begun', () => {
  const LATE = /^error: the session was changed after the response had begun/;

  it('what the handler still changes is saved when it is over, and the log says so', async () => {
    const { state, stored, log } = await bringOne();
    state.commit();
    state.copy.data['late'] = 1;
    state.close();
    await nextTurn();
    expect(await stored()).toEqual({ n: 1, late: 1 });
    expect(log).toEqual([expect.stringMatching(LATE)]);
    expect(log[0]).toContain('It was saved, but the client was not told');
  });

  it('nothing is done where nothing has changed', async () => {
    const { state, backend, log } = await bringOne();
    state.commit();
    state.close();
    expect(state.status).toBe('clean');
    await state.flushLate();
    expect([backend.calls, log]).toEqual([[], []]);
  });

  it('what cannot be saved is forgotten, and the log says why', async () => {
    const { state, log, visit } = await bringOne();
    const visitor = visit();
    for (const one of [state, visitor]) one.commit();
    state.copy.data['late'] = 1n as never;
    visitor.copy.data['late'] = 1;
    for (const one of [state, visitor]) {
      await one.flushLate();
      expect(one.status).toBe('clean');
    }
    expect(log).toEqual([
      expect.stringMatching(/begun, and could not be saved: SessionDataError/),
      expect.stringMatching(/begun, and could not be saved: SessionConflictError/),
    ]);
  });

  it('what a page of another site would change is forgotten: that is in the log already', async () => {
    const { state, log } = await bringOne({ refusalOf: () => new CrossSiteRequestException() });
    state.commit();
    state.copy.data['late'] = 1;
    await state.flushLate();
    expect([state.status, log]).toEqual(['clean', []]);
  });

  it('that holds without a log too', async () => {
    const { state, stored } = await bringOne({ log: null });
    state.commit();
    const { copy } = state;
    copy.data['late'] = 1;
    await state.flushLate();
    expect(await stored()).toEqual({ n: 1, late: 1 });
    expect(state.copy).toBe(copy); // saved, not forgotten
    copy.data['late'] = 1n as never;
    await state.flushLate();
    expect(state.status).toBe('clean');
  });

  it('a response that its client has left is not over: what is changed until it begins is saved with it', async () => {
    const { state, stored } = await bringOne();
    state.copy.data['a'] = 2;
    state.close();
    await nextTurn();
    expect(await stored()).toEqual({ n: 1 });
    expect(state.status).toBe('changed');
    await state.flush();
    expect(await stored()).toEqual({ n: 1, a: 2 });
  });

  it.each<[saved: boolean, what: string, begin: (state: RequestSessionState) => void]>([
    [true, 'over', (state) => (state.commit(), state.close())],
    [true, 'over, its client gone before it began', (state) => (state.close(), state.commit())],
    [false, 'on its way', (state) => state.commit()],
    [false, 'to come, its client gone', (state) => state.close()],
    [false, 'to come', () => undefined],
  ])(
    'what the app reaches for and changes is saved by itself: %s, with the response %s',
    async (isSaved, _, begin) => {
      const { state, stored } = await bringOne();
      begin(state);
      state.noteAccess();
      state.copy.data['later'] = 1;
      await nextTurn();
      await nextTurn();
      expect(await stored()).toEqual({ n: 1, ...(isSaved && { later: 1 }) });
    },
  );

  it('that is looked at once in a turn, however often the app reaches for it, and in the next one again', async () => {
    const { state } = await bringOne();
    let looks = 0;
    state.runBeforeSave({
      get isDue() {
        looks++;
        return false;
      },
      run: () => Promise.resolve(),
    });
    state.commit();
    state.close();
    for (const wanted of [2, 3]) {
      for (let n = 0; n < 3; n++) state.noteAccess();
      await nextTurn();
      expect(looks).toBe(wanted);
    }
  });

  it.each<[string, (state: RequestSessionState) => void]>([
    ['begun', (state) => state.commit()],
    ['lost its client', (state) => state.close()],
  ])('a failure that nobody handles is in the log, where the response has %s', async (_, end) => {
    const { state, log } = await bringOne();
    end(state);
    void state.handOut(() => Promise.reject(new SessionDataError('no')));
    await nextTurn();
    expect(log).toEqual([
      'error: a step of the session that nobody awaits failed after the response had begun: ' +
        'SessionHttpException: no',
    ]);
    expect(state.status).toBe('clean');
  });

  it.each<[string, (state: RequestSessionState) => void]>([
    ['begins', (state) => state.commit()],
    ['loses its client', (state) => state.close()],
  ])('so is one that was under way when the response %s', async (_, end) => {
    const { state, log } = await bringOne();
    void state.handOut(async () => {
      await nextTurn();
      throw new SessionDataError('no');
    });
    end(state);
    await nextTurn();
    await nextTurn();
    expect(log).toEqual([expect.stringMatching(/failed after the response had begun: .*no$/)]);
  });

  it('so is one that had failed before its client went away', async () => {
    const { state, log } = await bringOne();
    void state.handOut(() => Promise.reject(new SessionDataError('no')));
    await nextTurn();
    expect(log).toEqual([]);
    state.close();
    expect(log).toEqual([expect.stringMatching(/failed after the response had begun: .*no$/)]);
    expect(state.status).toBe('clean');
  });
});

describe('before the first byte', () => {
  it('has nothing to do, and so waits for nothing, where data has the JSON form that is stored', async () => {
    const { bring, signedIn } = openRequests();
    const state = await bring(await signedIn({ since: '2026-01-01T00:00:00.000Z' }));
    state.copy.data['since'] = new Date('2026-01-01T00:00:00.000Z') as never;
    expect(state.status).toBe('changed');
    expect(state.settle()).not.toBeInstanceOf(Promise);
  });

  it('waits for a method that is under way, though nothing has changed', async () => {
    const { bring, signedIn } = openRequests();
    const state = await bring(await signedIn());
    void state.handOut(() => nextTurn());
    expect(state.settle()).toBeInstanceOf(Promise);
  });

  it('fails for data that is no JSON', async () => {
    const { bring, signedIn } = openRequests();
    const state = await bring(await signedIn());
    state.copy.data['n'] = 1n as never;
    await expect(state.settle()).rejects.toThrow('must be JSON');
  });
});
