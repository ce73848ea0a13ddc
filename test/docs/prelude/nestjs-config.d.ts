/** As much of @nestjs/config as the README uses; the package itself is not needed here. */
declare module '@nestjs/config' {
  export class ConfigModule {
    readonly name: string;
  }
  export class ConfigService {
    getOrThrow(name: string): string;
  }
}
