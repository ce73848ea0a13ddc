import { type ExecutionContext, Injectable } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';

/** Checks name and password, and signs in: from here on `@RequireAuth()`, lists and limits know the user. */
@Injectable()
export class LocalGuard extends AuthGuard('local') {
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    await super.canActivate(context);
    await super.logIn(context.switchToHttp().getRequest());
    return true;
  }
}

/** Sends the browser to the provider. */
@Injectable()
export class ProviderGuard extends AuthGuard('provider') {}

/** The browser is back: checks `state`, exchanges the code, and signs in. */
@Injectable()
export class ProviderCallbackGuard extends AuthGuard('provider') {
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    await super.canActivate(context);
    await super.logIn(context.switchToHttp().getRequest());
    return true;
  }
}
