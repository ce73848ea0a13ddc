import { Injectable } from '@nestjs/common';
import { PassportSerializer } from '@nestjs/passport';
import type { User } from '../users/user.entity.js';
import { Users } from '../users/users.js';

/** The session keeps the id alone; the rest is read anew for each request, and is gone when the account is. */
@Injectable()
export class UserSerializer extends PassportSerializer {
  constructor(private readonly users: Users) {
    super();
  }

  serializeUser(user: User, done: (error: unknown, id?: number) => void): void {
    done(null, user.id);
  }

  deserializeUser(id: number, done: (error: unknown, user?: User | false) => void): void {
    this.users.find(id).then((user) => done(null, user ?? false), done);
  }
}
