import { type Contender, CONTENDERS } from './contenders.js';

/**
 * Contenders that are measured together, in turns, beside a bare app of their own. There are few in each: a server that waits for
 * its turn has memory that the machine may take, and timers.
 */
export interface Group {
  readonly name: string;
  readonly label: string;
  /** Names of contenders, ours first. */
  readonly contenders: readonly string[];
}

export const GROUPS: readonly Group[] = [
  {
    name: 'sqlite3',
    label: 'sqlite3',
    contenders: ['ours-sqlite3', 'floor-sqlite3', 'express-session', 'fastify-session', 'connect-typeorm'],
  },
  {
    name: 'better-sqlite3',
    label: 'better-sqlite3',
    contenders: [
      'ours-better-sqlite3',
      'floor-better-sqlite3',
      'express-session',
      'fastify-session',
      'better-auth',
    ],
  },
  {
    name: 'postgres',
    label: 'Postgres',
    contenders: [
      'ours-postgres',
      'floor-postgres',
      'express-session',
      'fastify-session',
      'connect-pg-simple',
    ],
  },
  {
    name: 'mariadb',
    label: 'MariaDB',
    contenders: ['ours-mariadb', 'floor-mariadb', 'express-session', 'fastify-session', 'empty'],
  },
  {
    name: 'redis',
    label: 'Redis',
    contenders: ['ours-redis', 'connect-redis', 'ours-memory', 'express-session', 'fastify-session'],
  },
];

/** The contenders of a group, behind the bare app. */
export function contendersOf({ contenders }: Group): readonly Contender[] {
  return ['bare', ...contenders].map(contenderOf);
}

export function contenderOf(name: string): Contender {
  const contender = CONTENDERS.find((one) => one.name === name);
  if (!contender) throw new Error(`No contender '${name}'`);
  return contender;
}
