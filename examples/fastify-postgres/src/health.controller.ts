import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import { Public, SessionHealthIndicator, SkipSession } from 'nest-sessions';

/** For the load balancer: no session is loaded, and nobody has to sign in. */
@Controller('health')
@Public()
@SkipSession()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly sessions: SessionHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.sessions.isHealthy('sessions', { timeout: '1s' })]);
  }
}
