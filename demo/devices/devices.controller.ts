import { Controller, Get, HttpStatus, type MessageEvent, Param, Post, Redirect, Sse } from '@nestjs/common';
import { RequireAuth, Session, type SessionInfo, SessionStore, SkipTouch, UserId } from 'nest-sessions';
import { distinctUntilChanged, exhaustMap, filter, map, type Observable } from 'rxjs';
import { RECENT } from '../account/guarded-action.js';
import { page } from '../html/page.js';
import { LiveStreams } from '../live/live-streams.js';
import { Activity } from './activity.js';
import { DeviceChanges } from './device-changes.js';
import { deviceList } from './device-list.js';
import { deviceName } from './device-name.js';
import { devicesPage } from './devices.page.js';
import { OtherDevices } from './other-devices.js';

@Controller('devices')
@RequireAuth()
export class DevicesController {
  constructor(
    private readonly activity: Activity,
    private readonly others: OtherDevices,
    private readonly changes: DeviceChanges,
    private readonly streams: LiveStreams,
    private readonly store: SessionStore,
  ) {}

  @Get()
  async show(@Session() session: Session, @UserId() userId: string): Promise<string> {
    const main = devicesPage({ userId, ...(await this.#listOf(session, userId)), isAsking: true });
    return page({ title: 'Your devices', here: 'devices', session, main, stream: '/devices/live' });
  }

  /** The list, again and again as it changes, for the page that is open. */
  @Sse('live')
  @SkipTouch()
  live(@Session() session: Session, @UserId() userId: string): Observable<MessageEvent> {
    const lists = this.changes.of(userId).pipe(
      exhaustMap(() => this.#look(session, userId)),
      filter((list) => list !== null),
      distinctUntilChanged(),
      map((data): MessageEvent => ({ type: 'devices', data })),
    );
    return this.streams.of(userId, lists);
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

  /** The list for a page that is open; `null`: there is none to show, now. Never rejects. */
  async #look(session: Session, userId: string): Promise<string | null> {
    try {
      const list = await this.#listOf(session, userId);
      const isOver = list.devices.every(({ current }) => !current); // and the stream is about to end
      return isOver ? null : deviceList({ ...list, isAsking: false }).toString();
    } catch {
      return null; // storage is out of reach: one of the next looks succeeds
    }
  }

  async #listOf(session: Session, userId: string) {
    return {
      devices: thisDeviceFirst(await session.list()),
      places: Number(this.store.config.maxPerUser),
      activity: await this.activity.of(userId),
    };
  }
}

/** Whoever looks for the device in their hand finds it on top. The others stay as they were: last active first. */
function thisDeviceFirst(devices: readonly SessionInfo[]): SessionInfo[] {
  return devices.toSorted((a, b) => Number(b.current) - Number(a.current));
}
