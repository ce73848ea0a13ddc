import { existsSync, readdirSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';

/** Folders that Debian keeps server programs, and what they load, in, beside those of the path. */
function folders(): string[] {
  const versions = '/usr/lib/postgresql';
  const postgres = existsSync(versions)
    ? readdirSync(versions).map((each) => join(versions, each, 'bin'))
    : [];
  return [
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/lib/galera',
    ...postgres.toReversed(),
  ];
}

function find(program: string): string | undefined {
  return folders()
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
}

/** Where a program is. */
export function binary(program: string): string {
  const path = find(program);
  if (path === undefined) throw new Error(`${program} is not installed`);
  return path;
}

/** No database server runs as root: then it runs as nobody. */
export function unprivileged(): { uid: number; gid: number } | undefined {
  return process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
}

/**
 * A port that nothing listens on. Below those that systems give to connections by themselves, one of which would take it
 * before the server that it is for has started.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(12_000, 30_000);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.close();
    if (isFree) return port;
  }
}

/**
 * Specs that need programs. On a laptop where those are not installed they are skipped, in a line that says so; with
 * `CI=true` they fail.
 */
export function withPrograms(programs: readonly string[], body: () => void): void {
  const missing = programs.filter((program) => find(program) === undefined);
  if (missing.length > 0 && process.env['CI'] !== 'true') {
    it.skip(`(skipped: ${missing.join(' and ')} not installed)`, () => undefined);
  } else body();
}
