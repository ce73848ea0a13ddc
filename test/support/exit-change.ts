import type { TestSession } from './routes.js';

/** What every way out does to its session first. */
export function change(session: TestSession | null): void {
  if (session) session.data.theme = 'dark';
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
