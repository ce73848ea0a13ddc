import { Body, Controller, Get, HttpStatus, Post, Query, Redirect } from '@nestjs/common';
import { RequireAuth, Session, UserId } from 'nest-sessions';
import { page } from '../html/page.js';
import { confirmPage } from './confirm.page.js';
import { confirmPath, guardedAction } from './guarded-action.js';
import { userName } from './user-name.js';

/** What the form sends. Anything may arrive. */
interface ConfirmForm {
  readonly name?: unknown;
  readonly action?: unknown;
}

/** Asks once more who somebody is, before an action that needs a recent sign-in, and goes on with it. */
@Controller('confirm')
@RequireAuth()
export class ConfirmController {
  @Get()
  show(@Session() session: Session, @UserId() userId: string, @Query('action') action?: unknown): string {
    const main = confirmPage({ userId, action: guardedAction(action) });
    return page({ title: 'Confirm that it is you', here: 'devices', session, main });
  }

  @Post()
  @Redirect()
  async confirm(@Session() session: Session, @UserId() userId: string, @Body() form: ConfirmForm = {}) {
    const action = guardedAction(form.action);
    // A real app checks the password or the passkey here. What follows is the same.
    if (userName(form.name) !== userId) {
      session.flash('error', 'That is not the name you signed in with.');
      return { url: confirmPath(action), statusCode: HttpStatus.SEE_OTHER };
    }
    await session.reauthenticate();
    if (action === null) return { url: '/devices', statusCode: HttpStatus.SEE_OTHER };
    // 307 keeps the method: the browser sends the form to where it was going in the first place.
    return { url: action, statusCode: HttpStatus.TEMPORARY_REDIRECT };
  }
}
