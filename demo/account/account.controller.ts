import { Body, Controller, Get, HttpStatus, Post, Query, Redirect } from '@nestjs/common';
import { RequireAuth, Session, UserId } from 'nest-sessions';
import { page } from '../html/page.js';
import { localPath, signInPath } from './return-to.js';
import { signInPage } from './sign-in.page.js';
import { MAX_NAME_LENGTH, userName } from './user-name.js';

/** What the form sends. Anything may arrive. */
interface SignInForm {
  readonly name?: unknown;
  readonly remember?: unknown;
  readonly returnTo?: unknown;
}

@Controller()
export class AccountController {
  @Get('sign-in')
  show(@Session() session: Session, @Query('returnTo') returnTo?: unknown): string {
    const main = signInPage({ userId: session.userId, returnTo: localPath(returnTo) });
    return page({ title: 'Sign in', here: 'sign-in', session, main });
  }

  @Post('sign-in')
  @Redirect('/', HttpStatus.SEE_OTHER)
  async signIn(@Session() session: Session, @Body() form: SignInForm = {}): Promise<{ url: string }> {
    const returnTo = localPath(form.returnTo);
    // A real app checks a password or a passkey here. What follows is the same.
    const name = userName(form.name);
    if (name === null) {
      session.flash('error', `Please enter a name of at most ${MAX_NAME_LENGTH} characters.`);
      return { url: signInPath(returnTo) };
    }
    await session.authenticate(name, { remember: form.remember === 'on' });
    session.flash('success', `Welcome, ${name}.`);
    return { url: returnTo };
  }

  @Post('sign-out')
  @Redirect('/', HttpStatus.SEE_OTHER)
  async signOut(@Session() session: Session): Promise<void> {
    await session.logout();
    session.flash('success', 'You are signed out on this device.');
  }

  /** For programs: who the cookie says they are, or 401. */
  @Get('whoami')
  @RequireAuth()
  whoami(@UserId() userId: string): { userId: string } {
    return { userId };
  }
}
