import { Body, Controller, Get, HttpStatus, Post, Query, Redirect, Req } from '@nestjs/common';
import type { Request } from 'express';
import { Session, type SessionRow, SessionStore } from 'nest-sessions';
import { localPath } from '../account/return-to.js';
import { page } from '../html/page.js';
import { STORAGE } from '../storage.js';
import { cookieToken } from './cookie-token.js';
import { memoFrom } from './memo.js';
import { Rotations } from './rotations.js';
import { sessionPage } from './session.page.js';
import { StoredRows } from './stored-rows.js';

/** Seconds after which a page that is watched loads itself again. */
const WATCH_INTERVAL = 3;

@Controller()
export class SessionController {
  constructor(
    private readonly store: SessionStore,
    private readonly rows: StoredRows,
    private readonly rotations: Rotations,
  ) {}

  @Get()
  async show(@Session() session: Session, @Req() request: Request, @Query('watch') watch?: unknown) {
    const row = await this.rows.find(session.id);
    const token = cookieToken(request);
    const isWatched = watch !== undefined && row !== null;
    const main = sessionPage({
      session,
      row,
      storage: STORAGE.name,
      token: row === null || token === null ? null : { row, token, isWatched, ...this.#timesOf(row) },
    });
    const again = isWatched ? WATCH_INTERVAL : undefined;
    return page({ title: 'Your session', here: 'session', session, main, again });
  }

  @Post('session/memo')
  @Redirect('/#memo', HttpStatus.SEE_OTHER)
  memo(@Session() session: Session, @Body() form: { readonly memo?: unknown } = {}): void {
    const memo = memoFrom(form.memo);
    if (memo === null) session.remove('memo');
    else session.set('memo', memo); // saved before the response leaves
  }

  /** As after a change of rights: the same session, and a new token with this response. */
  @Post('session/rotate')
  @Redirect('/#rotate', HttpStatus.SEE_OTHER)
  async rotate(@Session() session: Session, @Body() form: { readonly returnTo?: unknown } = {}) {
    await session.rotate();
    if (form.returnTo !== undefined) return { url: localPath(form.returnTo) };
    return undefined;
  }

  #timesOf({ id }: SessionRow) {
    return {
      rotations: this.rotations.of(id),
      every: this.store.config.rotation.every,
      now: Date.now(),
    };
  }
}
