import type { HttpAdapterHost } from '@nestjs/core';

/**
 * Calls `use` with the HTTP adapter of the app as soon as it exists, which is before main.ts gets the app. In an app without
 * HTTP (`createApplicationContext`) it is never called.
 */
export function withAdapter(
  host: HttpAdapterHost,
  use: (adapter: HttpAdapterHost['httpAdapter']) => void,
): void {
  // `Test.createTestingModule` makes the adapter after the modules.
  if (host.httpAdapter) use(host.httpAdapter);
  else host.init$.subscribe(() => host.httpAdapter && use(host.httpAdapter));
}
