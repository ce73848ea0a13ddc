import { Controller, Get, HttpCode, NotFoundException, Param, Post } from '@nestjs/common';
import { RequireAuth, Session } from 'nest-sessions';

@Controller('devices')
@RequireAuth()
export class DevicesController {
  @Get()
  list(@Session() session: Session) {
    return session.list(); // meta.deviceName is "Chrome on macOS", current is this device
  }

  @Post(':id/revoke')
  @HttpCode(204)
  async revoke(@Param('id') id: string, @Session() session: Session) {
    if (!(await session.revoke(id))) throw new NotFoundException();
  }
}
