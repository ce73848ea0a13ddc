import {
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  Post,
  Req,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { AuthGuard, PassportModule, PassportSerializer, PassportStrategy } from '@nestjs/passport';
import passport from 'passport';
import { Strategy } from 'passport-local';
import { type AppSetup, KEY, openApp, type TestApp } from '../../../support/open-app.js';
import { BASICS } from '../../../support/session-routes.js';
import type { ExpressRequest } from '../../../support/express-handlers.js';

/** Somebody with an account, as the app's own table has them. */
export interface Account {
  readonly id: number;
  readonly name: string;
}

/** A request with what Passport adds. */
export interface PassportRequest extends ExpressRequest {
  readonly user?: Account;
  readonly body?: { readonly keep?: boolean };
  logIn(user: Account, options: object, done: (error: unknown) => void): void;
  logout(options: object, done: (error: unknown) => void): void;
  isAuthenticated(): boolean;
}

/** The accounts of the app; a spec may close one. */
export const accounts = new Map<number, Account>();

function openAccounts(): void {
  accounts.clear();
  for (const account of [
    { id: 7, name: 'ada' },
    { id: 8, name: 'bob' },
  ])
    accounts.set(account.id, account);
}

@Injectable()
class LocalStrategy extends PassportStrategy(Strategy) {
  validate(username: string, password: string): Account {
    const account = [...accounts.values()].find(({ name }) => name === username);
    if (account === undefined || password !== 'secret') throw new UnauthorizedException();
    return account;
  }
}

@Injectable()
class AccountSerializer extends PassportSerializer {
  serializeUser(user: Account, done: (error: unknown, id: number) => void): void {
    done(null, user.id);
  }

  deserializeUser(id: number, done: (error: unknown, user: Account | false) => void): void {
    done(null, accounts.get(id) ?? false);
  }
}

/** As in the Passport recipe of Nest's documentation. */
@Injectable()
class LocalAuthGuard extends AuthGuard('local') {
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const isIn = (await super.canActivate(context)) as boolean;
    await super.logIn(context.switchToHttp().getRequest<never>());
    return isIn;
  }
}

@Injectable()
class SignedInGuard {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest<PassportRequest>().isAuthenticated();
  }
}

@Controller('passport')
class PassportController {
  @Post('login')
  @UseGuards(LocalAuthGuard)
  login(@Req() { user }: PassportRequest): unknown {
    return user;
  }

  @Post('login-and-keep')
  keep(@Req() request: PassportRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      request.logIn(accounts.get(7)!, { keepSessionInfo: true }, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  @Get('me')
  @UseGuards(SignedInGuard)
  me(@Req() { user }: PassportRequest): unknown {
    return user;
  }

  @Post('logout')
  logout(@Req() request: PassportRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      request.logout({ keepSessionInfo: request.body?.keep }, (error) => (error ? reject(error) : resolve()));
    });
  }
}

/** An app with Passport's local strategy and login sessions, as its documentation and Nest's have it. */
export async function openPassport(setup: AppSetup = {}): Promise<TestApp> {
  openAccounts();
  return openApp('express', {
    ...setup,
    options: { key: KEY, mount: 'middleware', ...setup.options },
    imports: [PassportModule.register({ session: true })],
    controllers: [PassportController],
    providers: [LocalStrategy, AccountSerializer],
    routes: { ...BASICS, ...setup.routes },
    prepare: (app) => {
      app.use(passport.session());
      setup.prepare?.(app);
    },
  });
}
