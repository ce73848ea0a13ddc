import { BadRequestException, Body, Controller, Get, Post, Redirect, UseGuards } from '@nestjs/common';
import { Session } from 'nest-sessions';
import { Users } from '../users/users.js';
import { LocalGuard, ProviderCallbackGuard, ProviderGuard } from './sign-in.guards.js';

@Controller()
export class SignInController {
  constructor(private readonly users: Users) {}

  @Post('register')
  @Redirect('/', 303)
  async register(@Body() body: { name?: unknown; password?: unknown }) {
    const { name, password } = body;
    if (typeof name !== 'string' || !/^[\w -]{1,40}$/.test(name))
      throw new BadRequestException('A name, please');
    if (typeof password !== 'string' || password.length < 15)
      throw new BadRequestException('A password of 15 characters or more, please');
    await this.users.register(name, password);
  }

  @Post('login')
  @UseGuards(LocalGuard)
  @Redirect('/', 303)
  login() {}

  @Get('login/provider')
  @UseGuards(ProviderGuard)
  toProvider() {}

  @Get('login/provider/callback')
  @UseGuards(ProviderCallbackGuard)
  @Redirect('/', 303)
  fromProvider() {}

  @Post('logout')
  @Redirect('/', 303)
  async logout(@Session() session: Session) {
    await session.logout();
  }
}
