import { Controller, Get, HttpStatus, Param, Post, Redirect } from '@nestjs/common';
import { RequireAuth, Session, type SessionInfo, SessionStore, UserId } from 'nest-sessions';
import { RECENT } from '../account/guarded-action.js';
import { page } from '../html/page.js';
import { Activity } from './activity.js';
import { deviceName } from './device-name.js';
import { devicesPage } from './devices.page.js';
import { OtherDevices } from './other-devices.js';

@Controller('devices')
@RequireAuth()
export class DevicesController {
  constructor(
    private readonly activity: Activity,
    private readonly others: OtherDevices,
    private readonly store: SessionStore,
  ) {}

  @Get()
  async show(@Session() session: Session, @UserId() userId: string): Promise<string> {
    const main = devicesPage({
      userId,
      devices: thisDeviceFirst(await session.list()),
      places: Number(this.store.config.maxPerUser),
      activity: await this.activity.of(userId),
    });
    return page({ title: 'Your devices', here: 'devices', session, main });
  }

  @Post('add')
  @Redirect('/devices#add', HttpStatus.SEE_OTHER)
  async add(@Session() session: Session, @UserId() userId: string): Promise<void> {
    const before = await session.list();
    // Use is written down behind the response. Here it has to be known before, or this device might have to make room.
    if (session.id && session.expiresAt) await this.store.touch(session.id, new Date(), session.expiresAt);
    await this.others.signIn(userId);
    const after = new Set((await session.list()).map(({ id }) => id));
    const gone = before.find(({ id }) => !after.has(id));
    if (gone) session.flash('notice', `${deviceName(gone.meta)} was signed out to make room.`);
  }

  @Post(':id/sign-out')
  @RequireAuth({ within: RECENT })
  @Redirect('/devices', HttpStatus.SEE_OTHER)
  async signOutOne(@Param('id') id: string, @Session() session: Session): Promise<void> {
    const hasEnded = await session.revoke(id);
    if (hasEnded) session.flash('success', 'The device is signed out.');
    else session.flash('notice', 'That device was signed out already.');
  }

  @Post('sign-out-others')
  @RequireAuth({ within: RECENT })
  @Redirect('/devices', HttpStatus.SEE_OTHER)
  async signOutOthers(@Session() session: Session): Promise<void> {
    const count = await session.logoutOthers();
    session.flash(
      'success',
      `${count === 1 ? '1 other device is' : `${count} other devices are`} signed out.`,
    );
  }

  @Post('sign-out-everywhere')
  @RequireAuth({ within: RECENT })
  @Redirect('/', HttpStatus.SEE_OTHER)
  async signOutEverywhere(@Session() session: Session): Promise<void> {
    await session.logoutAll();
    session.flash('success', 'You are signed out everywhere.');
  }
}

/** Whoever looks for the device in their hand finds it on top. The others stay as they were: last active first. */
function thisDeviceFirst(devices: readonly SessionInfo[]): SessionInfo[] {
  return devices.toSorted((a, b) => Number(b.current) - Number(a.current));
}
