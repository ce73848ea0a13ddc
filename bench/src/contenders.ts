import type { ScenarioName } from './scenarios.js';
import type { Platform } from './servers/application.js';

/** One server to measure. */
export interface Contender {
  readonly name: string;
  readonly label: string;
  readonly platforms: readonly Platform[];
  /** Those that it can be compared in, by default all. */
  readonly scenarios?: readonly ScenarioName[];
}

const BOTH = ['express', 'fastify'] as const;

/** The first is what the others are compared with. */
export const CONTENDERS: readonly Contender[] = [
  { name: 'bare', label: 'bare app', platforms: BOTH },
  { name: 'empty', label: 'empty guard and interceptor', platforms: BOTH },
  ...['sqlite3', 'better-sqlite3', 'Postgres', 'MariaDB', 'Redis'].map((driver) => ({
    name: `floor-${driver.toLowerCase()}`,
    label: `one statement, ${driver}`,
    platforms: BOTH,
    // One statement by one id, on Redis a GET or a SET, and no sessions: it has no sign-out, and takes every use for the same.
    scenarios: ['read', 'read-3k', 'write', 'write-3k', 'sign-in', 'latency'] as const,
  })),
  { name: 'ours-sqlite3', label: 'nest-sessions, sqlite3', platforms: BOTH },
  { name: 'ours-better-sqlite3', label: 'nest-sessions, better-sqlite3', platforms: BOTH },
  { name: 'ours-postgres', label: 'nest-sessions, Postgres', platforms: BOTH },
  { name: 'ours-mariadb', label: 'nest-sessions, MariaDB', platforms: BOTH },
  { name: 'ours-redis', label: 'nest-sessions, Redis', platforms: BOTH },
  { name: 'ours-memory', label: 'nest-sessions, memory', platforms: BOTH },
  { name: 'express-session', label: 'express-session, memory', platforms: ['express'] },
  { name: 'connect-redis', label: 'connect-redis', platforms: ['express'] },
  { name: 'connect-pg-simple', label: 'connect-pg-simple', platforms: ['express'] },
  { name: 'connect-typeorm', label: 'connect-typeorm, sqlite3', platforms: ['express'] },
  { name: 'fastify-session', label: '@fastify/session, memory', platforms: ['fastify'] },
  {
    name: 'better-auth',
    label: 'better-auth, better-sqlite3',
    platforms: BOTH,
    // Look-ups only: its sign-in hashes a password, and it saves no data that a handler has changed.
    scenarios: ['no-cookie', 'forged', 'read', 'read-3k', 'page', 'latency'],
  },
];
