import { ConflictException, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { hashPassword, isPassword } from './password.js';
import { User } from './user.entity.js';

@Injectable()
export class Users {
  constructor(@InjectRepository(User) private readonly users: Repository<User>) {}

  find(id: number): Promise<User | null> {
    return this.users.findOneBy({ id });
  }

  async register(name: string, password: string): Promise<User> {
    const login = name.toLowerCase();
    if (await this.users.existsBy({ login })) throw new ConflictException('That name is taken');
    return this.users.save({ name, login, password: await hashPassword(password), providerId: null });
  }

  /** Who has that name and password; `null`: nobody. */
  async verify(name: string, password: string): Promise<User | null> {
    const user = await this.users.findOneBy({ login: name.toLowerCase() });
    return (await isPassword(password, user?.password ?? null)) ? user : null;
  }

  /** Who the provider says has signed in: an account of their own from the first time on, whatever they are called. */
  async fromProvider(providerId: string, name: string): Promise<User> {
    const known = await this.users.findOneBy({ providerId });
    return known ?? this.users.save({ name, login: null, password: null, providerId });
  }
}
