import { Body, Controller, Get, HttpStatus, Post, Query, Redirect } from '@nestjs/common';
import { RequireAuth, Session, SessionStore, UserId } from 'nest-sessions';
import { deviceName } from '../devices/device-name.js';
import { page } from '../html/page.js';
import { isAdministrator } from '../online/administrator.guard.js';
import { confirmPage } from './confirm.page.js';
import { confirmPath, type GuardedAction, guardedAction } from './guarded-action.js';
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
  constructor(private readonly store: SessionStore) {}

  @Get()
  async show(@Session() session: Session, @UserId() userId: string, @Query('action') wanted?: unknown) {
    const action = guardedAction(wanted);
    const main = confirmPage({ userId, action, deed: await this.#deedOf(action, session) });
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
    return { url: action.path, statusCode: HttpStatus.TEMPORARY_REDIRECT };
  }

  /** What the action does, as the end of "You are about to …", with the name of the device that it is about. */
  async #deedOf(action: GuardedAction | null, session: Session): Promise<string> {
    switch (action?.about) {
      case 'others':
        return 'sign out all other devices';
      case 'everywhere':
        return 'sign out everywhere';
      case 'device': {
        const device = (await session.list()).find(({ id }) => id === action.id);
        return device ? `sign out ${deviceName(device.meta)}` : 'sign out a device';
      }
      case 'session': {
        const other = isAdministrator(session) ? await this.store.load(action.id) : null;
        return other
          ? `end the session of ${other.userId ?? 'a visitor'} on ${deviceName(other.meta)}`
          : 'end a session';
      }
      default:
        return 'change something that matters';
    }
  }
}
