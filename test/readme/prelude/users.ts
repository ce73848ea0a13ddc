import { UnauthorizedException } from '@nestjs/common';

// What an app of its own has around sign-in.

export class LoginDto {
  readonly name: string = '';
  readonly password: string = '';
  readonly remember?: boolean;
}

export class PasswordDto {
  readonly password: string = '';
}

/** Ada has the id 7, and everybody the password `secret` until it is changed. */
export class UsersService {
  #password = 'secret';

  async verify(name: string, password: string): Promise<{ id: number }> {
    await this.checkPassword(name, password);
    return { id: 7 };
  }

  async checkPassword(_userId: string, password: string): Promise<void> {
    if (password !== this.#password) throw new UnauthorizedException();
  }

  async setPassword(_userId: string, password: string): Promise<void> {
    this.#password = password;
  }
}
