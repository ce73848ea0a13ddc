import { Controller, Get, type INestApplication } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { SessionHealthIndicator, SessionModule, type SessionOptions } from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import { type AppSetup, http, KEY, startApp } from '../../support/nest-app.js';
import { ThemeController } from '../../support/theme-controller.js';

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly sessions: SessionHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.sessions.isHealthy('sessions', { timeout: '3s' })]);
  }

  @Get('named')
  @HealthCheck()
  named(): Promise<HealthCheckResult> {
    return this.health.check([() => this.sessions.isHealthy('session-store')]);
  }
}

/** An app with a health page, as docs/deploy.md shows it. */
export const startWithHealth = ({ imports = [], ...setup }: AppSetup): Promise<INestApplication> =>
  startApp({
    controllers: [ThemeController, HealthController],
    imports: [TerminusModule.forRoot({ logger: false }), ...imports],
    ...setup,
  });

/** Sessions in memory. */
export const onMemory = (options: Partial<SessionOptions> = {}) => [
  SessionModule.forRoot({ key: KEY, backend: new MemorySessionBackend(), ...options }),
];

/** What the health page says. */
export async function healthOf(app: INestApplication) {
  const { status, body, text } = await http(app).get('/health');
  return { status, sessions: (body as HealthCheckResult).details['sessions'], text };
}
