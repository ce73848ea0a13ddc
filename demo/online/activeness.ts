/** How long ago somebody may have been active to be shown, in milliseconds; `null`: as long as the session lives. */
export const ACTIVENESS = {
  '15m': { label: 'Last 15 minutes', age: 15 * 60_000 },
  '24h': { label: 'Last 24 hours', age: 24 * 3_600_000 },
  any: { label: 'All sessions', age: null },
} as const;

export type Activeness = keyof typeof ACTIVENESS;

/** What of these was asked for, whatever that was: 15 minutes, unless it is another one. */
export function activenessFrom(given: unknown): Activeness {
  return typeof given === 'string' && Object.hasOwn(ACTIVENESS, given) ? (given as Activeness) : '15m';
}
