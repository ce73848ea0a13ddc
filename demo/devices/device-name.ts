import type { JsonObject } from 'nest-sessions';

/** What to call the device of a session: "Chrome on macOS". */
export function deviceName({ deviceName: name }: JsonObject): string {
  return typeof name === 'string' ? name : 'Unknown device';
}
