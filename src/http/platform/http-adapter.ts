import type { HttpAdapterHost } from '@nestjs/core';

type Adapter = HttpAdapterHost['httpAdapter'];

/**
 * Calls back as soon as there is an HTTP adapter, which is before the app is handed to main.ts. Where there is none
 * (`createApplicationContext`), never.
 */
export function withAdapter(host: HttpAdapterHost, use: (adapter: Adapter) => void): void {
  // `Test.createTestingModule` makes the adapter after the modules.
  if (host.httpAdapter) use(host.httpAdapter);
  else host.init$.subscribe(() => host.httpAdapter && use(host.httpAdapter));
}
