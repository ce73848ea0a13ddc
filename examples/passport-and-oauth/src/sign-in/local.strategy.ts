import { Injectable, UnauthorizedException } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy } from 'passport-local';
import type { User } from '../users/user.entity.js';
import { Users } from '../users/users.js';

@Injectable()
export class LocalStrategy extends PassportStrategy(Strategy, 'local') {
  constructor(private readonly users: Users) {
    super({ usernameField: 'name' });
  }

  async validate(name: string, password: string): Promise<User> {
    const user = await this.users.verify(name, password);
    if (user === null) throw new UnauthorizedException('Name or password is wrong');
    return user;
  }
}
