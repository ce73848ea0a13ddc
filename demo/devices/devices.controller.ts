import { Controller, Get, HttpStatus, Param, Post, Redirect } from '@nestjs/common';
import { RequireAuth, Session, UserId } from 'nest-sessions';
import { RECENT } from '../account/guarded-action.js';
import { page } from '../html/page.js';
import { Activity } from './activity.js';
import { devicesPage } from './devices.page.js';

@Controller('devices')
@RequireAuth()
export class DevicesController {
  constructor(private readonly activity: Activity) {}

  @Get()
  async show(@Session() session: Session, @UserId() userId: string): Promise<string> {
    const main = devicesPage({
      userId,
      devices: await session.list(),
      activity: this.activity.of(userId),
    });
    return page({ title: 'Your devices', here: 'devices', session, main });
  }

  @Post(':id/log-out')
  @RequireAuth({ within: RECENT })
  @Redirect('/devices', HttpStatus.SEE_OTHER)
  async logOutOne(@Param('id') id: string, @Session() session: Session): Promise<void> {
    const hasEnded = await session.revoke(id);
    if (hasEnded) session.flash('success', 'The device is logged out.');
    else session.flash('notice', 'That device was logged out already.');
  }

  @Post('log-out-others')
  @RequireAuth({ within: RECENT })
  @Redirect('/devices', HttpStatus.SEE_OTHER)
  async logOutOthers(@Session() session: Session): Promise<void> {
    const count = await session.logoutOthers();
    session.flash(
      'success',
      `${count === 1 ? '1 other device is' : `${count} other devices are`} logged out.`,
    );
  }

  @Post('log-out-everywhere')
  @RequireAuth({ within: RECENT })
  @Redirect('/', HttpStatus.SEE_OTHER)
  async logOutEverywhere(@Session() session: Session): Promise<void> {
    await session.logoutAll();
    session.flash('success', 'You are logged out everywhere.');
  }
}
