import { Controller, Sse } from '@nestjs/common';
import { Session } from 'nest-sessions';
import { map, Observable, Subject } from 'rxjs';
import { onEachPlatform, type OpenApp } from '../../support/open-app.js';
import type { TestSession } from '../../support/routes.js';
import { BASICS, dataOf } from '../../support/session-routes.js';

/** A stream of events that the test feeds. Its handler changes the session first, and again at each event. */
async function openStream(open: OpenApp, onEvent: (session: TestSession) => void = () => undefined) {
  const feed = new Subject<string>();
  let end = (): void => undefined;
  const hasEnded = new Promise<void>((resolve) => (end = resolve));
  @Controller()
  class EventController {
    @Sse('events')
    events(@Session() session: TestSession): Observable<{ data: string }> {
      session.data.theme = 'dark';
      return new Observable((subscriber) => {
        const subscription = feed
          .pipe(
            map((data) => {
              onEvent(session);
              return { data };
            }),
          )
          .subscribe(subscriber);
        return () => {
          subscription.unsubscribe();
          end();
        };
      });
    }
  }
  const app = await open({ controllers: [EventController], routes: BASICS });
  return { ...app, feed, hasEnded, client: app.browser() };
}

onEachPlatform('server-sent events', (open) => {
  it('begin after what the handler changed is saved, and flow while the stream is open', async () => {
    const { client, browser, storage, log, feed, hasEnded } = await openStream(open);
    const inserted = storage.hold('insert');
    const exchange = await client.start('GET', '/events');
    while (!feed.observed) await browser().get('/plain');
    feed.next('one');
    await inserted.reached;
    await browser().get('/plain');
    expect(exchange.hasBegun()).toBe(false);
    inserted.release();
    await exchange.shows('data: one');
    feed.next('two');
    await exchange.shows('data: two');
    exchange.abort();
    await hasEnded;
    expect(log.sessionErrors).toEqual([]);
    expect(storage.calls).toEqual(['insert']);
  });

  it('that change the session later are saved, with a warning in the log that names the route', async () => {
    const { client, log, feed } = await openStream(open, (session) => {
      session.data.count = (session.data.count ?? 0) + 1;
    });
    const exchange = await client.start('GET', '/events');
    while (!feed.observed) await client.get('/plain');
    await exchange.shows('\n');
    feed.next('one');
    await exchange.shows('data: one');
    feed.complete();
    await exchange.reply;
    expect(await dataOf(client)).toEqual({ theme: 'dark', count: 1 });
    expect(log.sessionErrors).toEqual([]);
    expect(log.sessionWarnings).toEqual([
      expect.stringMatching(/^GET \/events: the session was changed while its event stream goes on/),
    ]);
  });
});
