import { Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { SessionModule } from 'nest-sessions';
import { join } from 'node:path';
import { AccountController } from './account/account.controller.js';
import { ConfirmController } from './account/confirm.controller.js';
import { Endings } from './account/endings.js';
import { TellEndingGuard } from './account/tell-ending.guard.js';
import { CartController } from './cart/cart.controller.js';
import { HttpClients } from './clients/http-clients.js';
import { Activity } from './devices/activity.js';
import { DeviceChanges } from './devices/device-changes.js';
import { DevicesController } from './devices/devices.controller.js';
import { OtherDevices } from './devices/other-devices.js';
import { NowhereController } from './errors/nowhere.controller.js';
import { PageErrorFilter } from './errors/page-error.filter.js';
import { HealthController } from './health/health.controller.js';
import { LiveStreams } from './live/live-streams.js';
import { LiveController } from './live/live.controller.js';
import { OnlineController } from './online/online.controller.js';
import { keyFrom } from './session-key.js';
import { Rotations } from './session/rotations.js';
import { SessionController } from './session/session.controller.js';
import { StoredRows } from './session/stored-rows.js';
import { DATA_FOLDER, IS_HTTPS } from './settings.js';
import { STORAGE } from './storage.js';
import { TheftController } from './theft/theft.controller.js';
import { Thefts } from './theft/thefts.js';

@Module({
  imports: [
    SessionModule.forRoot({
      ...STORAGE.options,
      key: keyFrom(join(DATA_FOLDER, 'session.key')),
      // Few, so that the limit shows.
      maxPerUser: 3,
      // Short, so that a rotation shows, and a stolen cookie is found out while one looks. An app has hours and '30s'.
      rotation: { every: '1m', grace: '5s' },
      // "Last active" is the point of two pages here. The default, 5 minutes, writes less.
      touchInterval: '1s',
      // Over plain http a Secure cookie would not arrive everywhere. Behind https, leave this line out.
      cookie: { secure: IS_HTTPS },
    }),
    TerminusModule,
  ],
  controllers: [
    SessionController,
    DevicesController,
    TheftController,
    OnlineController,
    CartController,
    AccountController,
    ConfirmController,
    LiveController,
    HealthController,
    NowhereController, // has every address that is left, so it stands last
  ],
  providers: [
    Activity,
    DeviceChanges,
    OtherDevices,
    HttpClients,
    Rotations,
    StoredRows,
    Thefts,
    Endings,
    LiveStreams,
    { provide: APP_GUARD, useClass: TellEndingGuard },
    { provide: APP_FILTER, useClass: PageErrorFilter },
  ],
})
export class AppModule {}
