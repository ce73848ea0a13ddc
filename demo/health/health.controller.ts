import { Controller, Get, UseFilters } from '@nestjs/common';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import { Public, SessionHealthIndicator, SkipSession } from 'nest-sessions';
import { JsonErrorFilter } from './json-error.filter.js';

/** For machines: needs no session, so it also answers when sessions do not work. */
@Controller('health')
@Public()
@SkipSession()
@UseFilters(JsonErrorFilter)
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly sessions: SessionHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.sessions.isHealthy('sessions', { timeout: '2s' })]);
  }
}
