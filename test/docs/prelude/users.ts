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
  readonly #disabled = new Set<string>();

  async verify(name: string, password: string): Promise<{ id: number }> {
    await this.checkPassword(name, password);
    if (this.#disabled.has('7')) throw new UnauthorizedException();
    return { id: 7 };
  }

  /** `null` for an account that is disabled. */
  async find(userId: string): Promise<{ id: string; name: string } | null> {
    return this.#disabled.has(userId) ? null : { id: userId, name: 'Ada' };
  }

  async disable(userId: string): Promise<void> {
    this.#disabled.add(userId);
  }

  async checkPassword(_userId: string, password: string): Promise<void> {
    if (password !== this.#password) throw new UnauthorizedException();
  }

  async setPassword(_userId: string, password: string): Promise<void> {
    this.#password = password;
  }
}
