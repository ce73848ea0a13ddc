import { type Html, html } from './html.js';

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;

const RELATIVE = new Intl.RelativeTimeFormat('en');
const ABSOLUTE = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium',
  timeStyle: 'medium',
  timeZone: 'UTC',
});
const CLOCK = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium', timeZone: 'UTC' });

/** An instant as people say it; pointing at it shows the date. Relative, since the server knows no time zone. */
export function time(instant: Date, now = Date.now()): Html {
  return timeElement(instant, relativeTime(instant.getTime() - now));
}

/** An instant to the second, where seconds matter: "09:41:07" UTC. */
export function clockTime(instant: Date): Html {
  return timeElement(instant, CLOCK.format(instant));
}

function timeElement(instant: Date, text: string): Html {
  const title = `${ABSOLUTE.format(instant)} UTC`;
  return html`<time datetime="${instant.toISOString()}" title="${title}">${text}</time>`;
}

/** "3 minutes ago", "in 30 days": to the nearest unit, in milliseconds from now. */
export function relativeTime(distance: number): string {
  const unit = UNITS.find(([, size]) => Math.abs(distance) >= size);
  if (unit === undefined) return distance > 0 ? 'in a moment' : 'just now';
  const [name, size] = unit;
  return RELATIVE.format(Math.round(distance / size), name);
}
