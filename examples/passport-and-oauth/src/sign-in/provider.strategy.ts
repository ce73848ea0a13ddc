import { BadGatewayException, Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy } from 'passport-oauth2';
import { CALLBACK, CLIENT, PROVIDER } from '../settings.js';
import type { User } from '../users/user.entity.js';
import { Users } from '../users/users.js';

/**
 * The authorization code flow. `state` and the verifier of PKCE are kept in the session until the browser is back, so
 * nobody else's code is accepted in this browser, nor this browser's code anywhere else.
 *
 * @see RFC 6749, section 4.1; RFC 7636; RFC 9700, section 2.1.1
 */
@Injectable()
export class ProviderStrategy extends PassportStrategy(Strategy, 'provider') {
  constructor(private readonly users: Users) {
    super({
      authorizationURL: `${PROVIDER}/authorize`,
      tokenURL: `${PROVIDER}/token`,
      callbackURL: CALLBACK,
      clientID: CLIENT.id,
      clientSecret: CLIENT.secret,
      state: true,
      pkce: true,
    });
  }

  async validate(accessToken: string): Promise<User> {
    const response = await fetch(`${PROVIDER}/userinfo`, {
      headers: { Authorization: `Bearer ${accessToken}` },
    });
    const profile = (await response.json()) as { sub?: unknown; name?: unknown };
    if (!response.ok || typeof profile.sub !== 'string') throw new BadGatewayException();
    return this.users.fromProvider(profile.sub, String(profile.name));
  }
}
