import { Controller, Get, Header, HttpStatus, type MessageEvent, Query, Req, Res, Sse } from '@nestjs/common';
import type { Request, Response } from 'express';
import { RequireAuth, Session, SkipTouch, UserId } from 'nest-sessions';
import type { Observable } from 'rxjs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Ending, ENDING_WORDS, Endings, UNKNOWN_ENDING } from '../account/endings.js';
import { localPath } from '../account/return-to.js';
import { endedSession, TellsEnding } from '../account/tell-ending.guard.js';
import { page } from '../html/page.js';
import { LiveStreams } from './live-streams.js';
import { signedOutPage } from './signed-out.page.js';

/** How often to ask why a session has ended, and how many milliseconds apart: another process may be writing it down. */
const PATIENCE = { tries: 5, apart: 100 };

/** What `public/live.js` asks for. Nothing of it is use of the session: a page that nobody touches is signed out in time. */
@Controller()
@SkipTouch()
export class LiveController {
  constructor(
    private readonly streams: LiveStreams,
    private readonly endings: Endings,
  ) {}

  /** Open for as long as the session lasts. */
  @Sse('live')
  @RequireAuth()
  live(@UserId() userId: string): Observable<MessageEvent> {
    return this.streams.of(userId);
  }

  /** What an open page shows when its stream has ended; 204 when somebody is signed in, so that it only has to open it again. */
  @Get('signed-out')
  @TellsEnding(true)
  @Header('Cache-Control', 'no-store')
  async signedOut(
    @Session() session: Session,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
    @Query('returnTo') returnTo?: unknown,
  ): Promise<string> {
    const ended = endedSession(request);
    const ending = ended === null ? 'logout' : await this.#endingOf(ended);
    // After another sign-in in this browser, its cookie is there or on the way.
    if (session.isAuthenticated || ending === 'replaced') {
      response.status(HttpStatus.NO_CONTENT);
      return '';
    }
    const why = ending === null ? UNKNOWN_ENDING : ENDING_WORDS[ending];
    const main = signedOutPage({ why, returnTo: localPath(returnTo) });
    return page({ title: 'Signed out', session: null, main });
  }

  async #endingOf(sessionId: string): Promise<Ending | null> {
    for (let tries = 1; tries < PATIENCE.tries; tries++) {
      const ending = await this.endings.of(sessionId);
      if (ending !== null) return ending;
      await sleep(PATIENCE.apart);
    }
    return this.endings.of(sessionId);
  }
}
