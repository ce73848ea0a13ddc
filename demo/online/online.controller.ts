import { Controller, Get, HttpStatus, Param, Post, Query, Redirect, UseGuards } from '@nestjs/common';
import { RequireAuth, Session, SessionStore } from 'nest-sessions';
import { Endings, isEnding } from '../account/endings.js';
import { RECENT } from '../account/guarded-action.js';
import type { Html } from '../html/html.js';
import { page } from '../html/page.js';
import { ACTIVENESS, activenessFrom } from './activeness.js';
import { AdministratorGuard, isAdministrator } from './administrator.guard.js';
import { becomePage } from './become.page.js';
import { onlinePage } from './online.page.js';

/** Sessions on one page. */
const PAGE_SIZE = 20;

/** Who is online: for administrators. */
@Controller('online')
@RequireAuth()
export class OnlineController {
  constructor(
    private readonly store: SessionStore,
    private readonly endings: Endings,
  ) {}

  @Get()
  async show(
    @Session() session: Session,
    @Query('within') within?: unknown,
    @Query('after') after?: unknown,
  ): Promise<string> {
    const main = isAdministrator(session) ? await this.#online(session, within, after) : becomePage();
    return page({ title: 'Who is online', here: 'online', session, main });
  }

  /** Whose rights have changed gets a new token: one that was copied before has no part in them. */
  @Post('become')
  @Redirect('/online', HttpStatus.SEE_OTHER)
  async become(@Session() session: Session): Promise<void> {
    session.set('role', 'administrator');
    await session.rotate();
  }

  @Post(':id/sign-out')
  @RequireAuth({ within: RECENT })
  @UseGuards(AdministratorGuard)
  @Redirect('/online', HttpStatus.SEE_OTHER)
  async signOut(@Param('id') id: string, @Session() session: Session): Promise<void> {
    if (id === session.id) return session.logout(); // a message would begin another session
    const hasEnded = await this.endings.byAdministrator(id);
    if (hasEnded) session.flash('success', 'The session has ended.');
    else session.flash('notice', 'That session had ended already.');
  }

  async #online({ id }: Session, within: unknown, after: unknown): Promise<Html> {
    const activeness = activenessFrom(within);
    const { age } = ACTIVENESS[activeness];
    const found = await this.store.listActive({
      after: typeof after === 'string' ? after : null,
      limit: PAGE_SIZE,
      ...(age !== null && { activeSince: Date.now() - age }),
    });
    const sessions = found.sessions.filter((one) => !isEnding(one));
    // Endings come behind all sessions, so where there is one, no session follows.
    const next = sessions.length === found.sessions.length ? found.next : null;
    return onlinePage({ sessions, next, activeness, isFirst: after === undefined, ownId: id });
  }
}
